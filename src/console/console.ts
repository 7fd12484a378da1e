import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { ConsoleConfig, ServerConsoleConfig } from '../config/config.js';
import { makeDirectory } from '../directory.js';
import { CLIENT_LIMITS, ConsoleClient, type ClientLimits } from './client.js';
import { beginDialogue, type Partners } from './dialogue.js';
import { giveToGroup, groupId } from './group.js';
import { askPassword, readPassword } from './password.js';

const MAX_CLIENTS = 64;

/** Where a console is: its unix socket, and TCP if it is wanted. */
export type ConsolePlace = Pick<ConsoleConfig, 'socket' | 'mode' | 'group'> &
  Pick<ServerConsoleConfig, 'listen' | 'passwordFile'>;

/** The management console: text lines on a unix socket, in the manner of OpenVPN's management interface. */
export class Console {
  readonly #server: Server;
  #tcp: Server | undefined;
  /** Those of the unix socket and those of TCP: who may come by the one cannot fill the other. */
  readonly #clients = { unix: new Set<Socket>(), tcp: new Set<Socket>() };

  private constructor(
    private readonly place: ConsolePlace,
    private readonly partners: Partners,
    private readonly limits: ClientLimits,
  ) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#serve(socket, 'unix');
    });
  }

  /**
   * Opens the console's socket with the mode and group of the config, and TCP.
   * @throws {Error} naming the socket if another daemon serves it, or if it cannot be made, or TCP or the password file
   * if they cannot be used; then nothing is left open.
   */
  static async open(place: ConsolePlace, partners: Partners, limits = CLIENT_LIMITS): Promise<Console> {
    const console = new Console(place, partners, limits);
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
    for (const client of [...this.#clients.unix, ...this.#clients.tcp]) client.destroy();
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
    if (passwordFile !== undefined) readPassword(passwordFile);
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#serve(socket, 'tcp');
    });
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(listen.port, listen.host, resolve);
      });
    } catch (error) {
      throw unmade(`${listen.host} ${listen.port}`, error);
    }
    server.removeAllListeners('error').on('error', () => undefined);
    this.#tcp = server;
  }

  #serve(socket: Socket, kind: 'unix' | 'tcp'): void {
    const clients = this.#clients[kind];
    // A client that hangs up is no error of ours.
    socket.on('error', () => socket.destroy());
    if (clients.size >= MAX_CLIENTS) {
      socket.end(`ERROR: ${MAX_CLIENTS} clients are connected already\r\n`, () => socket.destroy());
      return;
    }
    clients.add(socket);
    socket.on('close', () => clients.delete(socket));
    const { passwordFile } = this.place;
    new ConsoleClient(socket, this.limits, (tell) => {
      const begin = () => beginDialogue(this.partners, tell);
      return kind === 'tcp' && passwordFile !== undefined ? askPassword(passwordFile, begin) : begin();
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
  return new Error(`the console socket ${socket} cannot be made: ${(error as Error).message}`, {
    cause: error,
  });
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
  const refusal = await new Promise<string | undefined>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code);
    });
  });
  const notOurs = `${path} was made by user ${stats.uid}: if no subflowd of that user runs, remove it: rm ${path}`;
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
