import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { ConsoleConfig, ServerConsoleConfig } from '../../config/config.js';
import { whyDenied } from '../../util/denied.js';
import { makeDirectory } from '../../util/directory.js';
import { CLIENT_LIMITS, ConsoleClient, type ClientLimits } from './client-connection.js';
import { mayUse, sourceOf, type Source } from './access.js';
import { beginDialogue, type Partners } from '../commands/dialogue.js';
import { unixPeer } from '../../native/unix-peer.js';
import { giveToGroup, groupId } from '../common/group.js';
import { readPasswordFile } from '../../util/password-file.js';
import { Occupancy, PLACE_LIMITS } from './occupancy.js';
import { userName } from '../common/users.js';
import { askPassword } from './password.js';
import { PasswordTries } from './password-tries.js';
import { printable } from '../../util/printable.js';
import { Farewell } from './turn-away.js';
import { UnreadAnswers } from './unread.js';
import { strangerAt } from '../common/server-identity.js';
import { WaitingRoom, type Waiting } from './waiting-room.js';
import { WrongPasswords } from './wrong-passwords.js';

/** Where a console is: its unix socket, and TCP if it is wanted. */
export type ConsolePlace = Pick<ConsoleConfig, 'socket' | 'mode' | 'group'> &
  Pick<ServerConsoleConfig, 'listen' | 'passwordFile'>;

/** The management console: text lines on a unix socket, in the manner of OpenVPN's management interface. */
export class Console {
  readonly #server: Server;
  #tcp: Server | undefined;
  readonly #sockets = new Set<Socket>();
  /** Those of the unix socket and those of TCP: who may come by the one cannot fill the other. */
  readonly #places = { unix: new Occupancy(), tcp: new Occupancy() };
  /** Of TCP with a password. */
  readonly #waiting = new WaitingRoom();
  readonly #tries = new PasswordTries();
  readonly #wrong: WrongPasswords;
  #admitted = 0;
  readonly #farewell: Farewell;

  private constructor(
    private readonly place: ConsolePlace,
    private readonly partners: Partners,
    private readonly limits: ClientLimits,
    private readonly unread: UnreadAnswers,
  ) {
    this.#farewell = new Farewell(limits.leaveMs);
    this.#wrong = new WrongPasswords((text) => {
      partners.onWrongPassword?.(text);
    });
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#accept(socket);
      this.#serve(socket, 'unix', unixUser(socket));
    });
  }

  /**
   * Opens the console's socket with the mode and group of the config, and TCP.
   * @throws {Error} naming the socket if another daemon serves it, or if it cannot be made, or TCP or the password file
   * if they cannot be used; then nothing is left open.
   * @param unread shared by all consoles, bounds what their clients do not read.
   */
  static async open(
    place: ConsolePlace,
    partners: Partners,
    limits = CLIENT_LIMITS,
    unread = new UnreadAnswers(),
  ): Promise<Console> {
    const console = new Console(place, partners, limits, unread);
    await console.#listen();
    try {
      await console.#listenTcp();
    } catch (error) {
      await console.close();
      throw error;
    }
    return console;
  }

  /** Ends every client and removes the socket. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#wrong.close();
    await Promise.all([this.#server, this.#tcp].flatMap((server) => (server ? [closed(server)] : [])));
  }

  async #listen(): Promise<void> {
    const { socket, mode, group } = this.place;
    const owner = group === undefined ? undefined : { name: group, gid: groupId(group) };
    try {
      makeDirectory(dirname(socket));
    } catch (error) {
      throw unmade(socket, error);
    }
    await removeStale(socket);
    // The socket is nobody's but ours until mode and group are as wished.
    const umask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(socket, resolve);
      });
    } catch (error) {
      throw unmade(socket, error);
    } finally {
      process.umask(umask);
    }
    // A client that cannot be accepted (no descriptor is left) is no reason to end: it knocks again.
    this.#server.removeAllListeners('error').on('error', () => undefined);
    try {
      if (owner !== undefined) giveToGroup(socket, owner);
      chmodSync(socket, mode);
    } catch (error) {
      await this.close();
      throw unmade(socket, error);
    }
  }

  async #listenTcp(): Promise<void> {
    const { listen, passwordFile } = this.place;
    if (listen === undefined) return;
    if (passwordFile !== undefined) checkPasswordFile(passwordFile);
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(socket);
      if (passwordFile === undefined) this.#serveUser(socket, sourceOf(socket));
      else this.#askFirst(socket, sourceOf(socket).name, passwordFile);
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
    server.removeAllListeners('error').on('error', () => undefined);
    this.#tcp = server;
  }

  #accept(socket: Socket): void {
    // A client that hangs up is no error of ours.
    socket.on('error', () => socket.destroy());
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** On loopback without a password: whoever could write to the unix socket. */
  #serveUser(socket: Socket, { uid }: Source): void {
    if (uid !== undefined && mayUse(uid, this.place)) {
      this.#serve(socket, 'tcp', uid);
      return;
    }
    const { group } = this.place;
    const reason =
      `user ${userName(uid)} may not use this console: be root${group === undefined ? '' : `, or of group ${group}`}, ` +
      'or have console-password-file set';
    this.#farewell.turnAway(socket, printable(reason));
  }

  #serve(socket: Socket, kind: 'unix' | 'tcp', uid: number | undefined): void {
    const places = this.#places[kind];
    const refusal = places.take(uid);
    if (refusal !== undefined) {
      this.#farewell.turnAway(socket, refusal);
      return;
    }
    socket.on('close', () => {
      places.leave(uid);
    });
    const name = `user ${userName(uid)}`;
    new ConsoleClient(socket, this.limits, this.unread, (tell, hangUp) =>
      beginDialogue(this.partners, tell, hangUp, name),
    );
  }

  #askFirst(socket: Socket, source: string, passwordFile: string): void {
    const refusal = this.#waiting.refusal(source);
    if (refusal !== undefined) {
      this.#farewell.turnAway(socket, refusal);
      return;
    }
    const one: Waiting = {
      source,
      // at once: many can come after it
      putOut: (reason) => {
        socket.end(`\r\nERROR: ${reason}\r\n`, () => socket.destroy());
      },
    };
    this.#waiting.enter(one);
    socket.on('close', () => {
      this.#waiting.leave(one);
    });
    new ConsoleClient(socket, this.limits, this.unread, (tell, hangUp) =>
      askPassword(passwordFile, {
        takeTurn: () => this.#tries.takeTurn(source),
        wasWrong: () => {
          this.#tries.wasWrong(source);
          this.#wrong.add(source);
        },
        wasRight: () => {
          this.#tries.wasRight(source);
          this.#waiting.leave(one);
          return this.#admit(socket);
        },
        begin: () => beginDialogue(this.partners, tell, hangUp, source),
      }),
    );
  }

  /** @returns why there is no place for one who has shown the password. */
  #admit(socket: Socket): string | undefined {
    const { all } = PLACE_LIMITS;
    if (this.#admitted >= all) return `${all} clients are connected already`;
    if (socket.destroyed) return undefined;
    this.#admitted += 1;
    socket.on('close', () => (this.#admitted -= 1));
    return undefined;
  }
}

/** Who connects to the unix socket; nobody knows whom where the addon cannot be loaded, or who has left already. */
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

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}

function unmade(socket: string, error: unknown): Error {
  const reason = whyDenied(error, 'write to', dirname(socket));
  return new Error(`the console socket ${socket} cannot be made: ${reason}`, { cause: error });
}

interface ProbeResult {
  /** The system's code. */
  readonly refusal?: string;
  /** Who serves it, where that is no daemon. */
  readonly stranger?: string;
}

/** Removes the socket of a daemon that did not get to it. */
async function removeStale(path: string): Promise<void> {
  let stats;
  try {
    stats = lstatSync(path);
  } catch {
    return;
  }
  if (!stats.isSocket())
    throw new Error(`${path} is there and is no socket: remove it, or set [console] socket`);
  // Only a refusal says that nobody is there: a daemon whose queue is full answers EAGAIN.
  const { refusal, stranger } = await new Promise<ProbeResult>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      resolve(strangerText(probe));
      probe.destroy();
    });
    probe.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve({ ...(code !== undefined && { refusal: code }) });
    });
  });
  if (stranger !== undefined) throw new Error(`${path}: ${stranger}: end that program, then: rm ${path}`);
  const notOurs = `${path} was made by user ${userName(stats.uid)}: if no subflowd of that user runs, remove it: rm ${path}`;
  if (refusal === 'EACCES') throw new Error(notOurs);
  if (refusal !== 'ECONNREFUSED' && refusal !== 'ENOENT')
    throw new Error(`another subflowd serves ${path}: stop it first, or set [console] socket`);
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (stats.uid === process.geteuid?.()) throw unmade(path, error);
    throw new Error(notOurs, { cause: error });
  }
}

/** Who serves a socket, if that is not another daemon of ours. */
function strangerText(probe: Socket): ProbeResult {
  try {
    const stranger = strangerAt(probe);
    return stranger === undefined ? {} : { stranger: stranger.text };
  } catch {
    return {}; // it cannot be told, or it hung up: a daemon all the same
  }
}
