import { chmodSync, chownSync, lstatSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { ConsoleConfig } from '../config/config.js';
import { makeDirectory } from '../directory.js';
import { LineSplitter } from '../lines.js';
import { runCommand, type Commanded } from './commands.js';

/** Longest command line, bytes: a common name has at most 64 characters. */
const MAX_LINE = 4096;
const MAX_CLIENTS = 64;
/** Lines that a client may send ahead of their answers, and bytes of answers that it may leave unread. */
const MAX_WAITING_LINES = 1000;
const MAX_UNREAD = 16 * 1024 * 1024;

/** The management console: text lines on a unix socket, in the manner of OpenVPN's management interface. */
export class Console {
  readonly #server: Server;
  readonly #clients = new Set<Socket>();

  private constructor(
    private readonly config: ConsoleConfig,
    private readonly daemon: Commanded,
  ) {
    this.#server = createServer((socket) => {
      this.#serve(socket);
    });
  }

  /**
   * Opens the console's socket with the mode and group of the config.
   * @throws {Error} naming the socket if another daemon serves it, or if it cannot be made.
   */
  static async open(config: ConsoleConfig, daemon: Commanded): Promise<Console> {
    const console = new Console(config, daemon);
    await console.#listen();
    return console;
  }

  /** Ends every client and removes the socket. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  async #listen(): Promise<void> {
    const { socket, mode, group } = this.config;
    makeDirectory(dirname(socket));
    await removeStale(socket);
    // The socket is nobody's but ours until mode and group are as wished.
    const umask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', (error) => {
          reject(
            new Error(`the console socket ${socket} cannot be made: ${error.message}`, { cause: error }),
          );
        });
        this.#server.listen(socket, resolve);
      });
    } finally {
      process.umask(umask);
    }
    if (group !== undefined) chownSync(socket, -1, groupId(group));
    chmodSync(socket, mode);
  }

  #serve(socket: Socket): void {
    // A client that hangs up is no error of ours.
    socket.on('error', () => socket.destroy());
    if (this.#clients.size >= MAX_CLIENTS) {
      socket.end(`ERROR: ${MAX_CLIENTS} clients are connected already\r\n`);
      return;
    }
    this.#clients.add(socket);
    socket.on('close', () => this.#clients.delete(socket));
    const splitter = new LineSplitter(MAX_LINE);
    let waiting = 0;
    let answered = Promise.resolve();
    const cutOff = (reason: string) => {
      socket.end(`ERROR: ${reason}\r\n`, () => socket.destroy());
    };
    socket.write(">INFO:subflowd console -- type 'help' for the commands\r\n");
    socket.on('data', (chunk: Buffer) => {
      let lines: string[];
      try {
        lines = splitter.push(chunk);
      } catch {
        socket.removeAllListeners('data');
        cutOff(`a line is longer than ${MAX_LINE} bytes`);
        return;
      }
      for (const line of lines) {
        if (++waiting > MAX_WAITING_LINES) {
          socket.removeAllListeners('data');
          cutOff(`more than ${MAX_WAITING_LINES} commands wait for their answers`);
          return;
        }
        answered = answered.then(async () => {
          await this.#answer(socket, line);
          waiting--;
        });
      }
    });
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    if (socket.destroyed || socket.writableEnded) return;
    let answer;
    try {
      answer = await runCommand(this.daemon, line);
    } catch (error) {
      answer = { lines: [`ERROR: ${(error as Error).message}`] };
    }
    if (socket.writableLength > MAX_UNREAD) {
      // It does not read: nothing more can be said to it.
      socket.destroy();
      return;
    }
    socket.write(answer.lines.map((text) => `${text}\r\n`).join(''));
    if ('hangUp' in answer && answer.hangUp) socket.end();
  }
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
  const isServed = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => {
      resolve(false);
    });
  });
  if (isServed) throw new Error(`another subflowd serves ${path}: stop it first, or set [console] socket`);
  rmSync(path, { force: true });
}

/** Node has no getgrnam: the line of /etc/group does. */
function groupId(name: string): number {
  for (const line of readFileSync('/etc/group', 'utf8').split('\n')) {
    const [group, , gid] = line.split(':');
    if (group === name && gid !== undefined) return Number(gid);
  }
  throw new Error(`there is no group ${name}: make it (groupadd ${name}) or change [console] group`);
}
