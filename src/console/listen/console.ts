import { createServer, type Server, type Socket } from 'node:net';
import type { ConsoleConfig, ServerConsoleConfig } from '../../config/config.js';
import { unixPeer } from '../../native/unix-peer.js';
import { readPasswordFile } from '../../util/password-file.js';
import { printable } from '../../util/printable.js';
import { startDialogue, type DialogueOptions } from '../commands/dialogue.js';
import { userName } from '../common/users.js';
import { mayUse, sourceOf, type Source } from './access.js';
import { CLIENT_LIMITS, ClientConnection, type ClientLimits } from './client-connection.js';
import { ClientSlots } from './client-slots.js';
import { PasswordLogins } from './password-logins.js';
import { Rejector } from './rejector.js';
import { listenOnUnixSocket } from './unix-socket.js';
import { UnreadAnswers } from './unread.js';

/** Where a console listens: its unix socket and, if configured, TCP. */
export type ConsoleAddress = Pick<ConsoleConfig, 'socket' | 'mode' | 'group'> &
  Pick<ServerConsoleConfig, 'listen' | 'passwordFile'>;

/** As {@link ConsoleAddress}, also for a console without a unix socket. */
export type ListenAddress = Omit<ConsoleAddress, 'socket'> & {
  readonly socket?: string;
  /** Whether the password is asked for on the unix socket, too. */
  readonly asksOnSocket?: true;
};

/** A console: lines of text on a unix socket and on TCP, in the form of OpenVPN's management interface. */
export class Console {
  readonly #server: Server;
  #tcp: Server | undefined;
  readonly #sockets = new Set<Socket>();
  /** Two counts, so that clients on TCP cannot use up the slots of the unix socket, or the other way round. */
  readonly #slots = { unix: new ClientSlots(), tcp: new ClientSlots() };
  readonly #logins: PasswordLogins;
  readonly #rejector: Rejector;

  private constructor(
    private readonly address: ListenAddress,
    private readonly dialogue: DialogueOptions,
    private readonly limits: ClientLimits,
    private readonly unread: UnreadAnswers,
  ) {
    this.#rejector = new Rejector(limits.leaveMs);
    this.#logins = new PasswordLogins(dialogue, limits, unread, this.#rejector);
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#accept(socket);
      const { passwordFile, asksOnSocket } = address;
      const uid = unixUser(socket);
      if (asksOnSocket && passwordFile !== undefined)
        this.#logins.serve(socket, `user ${userName(uid)}`, passwordFile);
      else this.#serve(socket, 'unix', uid);
    });
  }

  /**
   * Opens the unix socket with the mode and group of the config, and the TCP port if there is one.
   * @param unread shared by all consoles; limits the answers that clients have not read.
   * @throws {Error} naming the socket, the TCP port or the password file that cannot be used. Nothing is left open then.
   */
  static async open(
    address: ListenAddress,
    dialogue: DialogueOptions,
    limits = CLIENT_LIMITS,
    unread = new UnreadAnswers(),
  ): Promise<Console> {
    const console = new Console(address, dialogue, limits, unread);
    try {
      const { socket } = address;
      if (socket !== undefined) await listenOnUnixSocket(console.#server, { ...address, socket });
      await console.#listenTcp();
    } catch (error) {
      await console.close();
      throw error;
    }
    return console;
  }

  /** Disconnects every client and removes the socket. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#logins.close();
    await Promise.all([this.#server, this.#tcp].flatMap((server) => (server ? [closeServer(server)] : [])));
  }

  async #listenTcp(): Promise<void> {
    const { listen, passwordFile } = this.address;
    if (listen === undefined) return;
    if (passwordFile !== undefined) checkPasswordFile(passwordFile);
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(socket);
      if (passwordFile === undefined) this.#serveLoopbackUser(socket, sourceOf(socket));
      else this.#logins.serve(socket, sourceOf(socket).name, passwordFile);
    });
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(listen.port, listen.host, resolve);
      });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = code === 'EACCES' ? `${message}: set console-listen to a port from 1024 on` : message;
      throw new Error(`the console on TCP, ${listen.host} ${listen.port}, cannot be opened: ${reason}`, {
        cause: error,
      });
    }
    // Once it listens, an error concerns one connection that could not be accepted.
    server.removeAllListeners('error').on('error', () => undefined);
    this.#tcp = server;
  }

  /** Keeps a connection until it closes. */
  #accept(socket: Socket): void {
    // A client that hangs up is not an error of the daemon.
    socket.on('error', () => socket.destroy());
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** Without a password, only users who may write to the unix socket may use TCP, and only on loopback. */
  #serveLoopbackUser(socket: Socket, { uid }: Source): void {
    if (uid !== undefined && mayUse(uid, this.address)) {
      this.#serve(socket, 'tcp', uid);
      return;
    }
    const { group } = this.address;
    const reason =
      `user ${userName(uid)} may not use this console: be root${group === undefined ? '' : `, or of group ${group}`}, ` +
      'or have console-password-file set';
    this.#rejector.reject(socket, printable(reason));
  }

  /** Serves a client if there is a slot for its user. */
  #serve(socket: Socket, kind: 'unix' | 'tcp', uid: number | undefined): void {
    const slots = this.#slots[kind];
    const refusal = slots.take(uid);
    if (refusal !== undefined) {
      this.#rejector.reject(socket, refusal);
      return;
    }
    socket.on('close', () => {
      slots.free(uid);
    });
    const name = `user ${userName(uid)}`;
    new ClientConnection(socket, this.limits, this.unread, (send, hangUp) =>
      startDialogue(this.dialogue, send, hangUp, name),
    );
  }
}

/** The user that connected to the unix socket; undefined if it has left, or if the addon cannot be loaded. */
function unixUser(socket: Socket): number | undefined {
  try {
    return unixPeer(socket)?.uid;
  } catch {
    return undefined;
  }
}

function checkPasswordFile(file: string): void {
  try {
    readPasswordFile(file);
  } catch (error) {
    throw new Error(`the console's password file cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Stops listening, and waits until all connections have ended. */
async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
