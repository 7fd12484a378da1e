import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './until.js';

export interface TalkerOptions {
  /** Whether to read from the start; default true. See {@link Talker.read}. */
  readonly read?: boolean;
  /** Whether this end stays open when the other end closes; default false. */
  readonly allowHalfOpen?: boolean;
}

/** A client of a management interface or a console. */
export class Talker {
  /** The complete lines that have arrived, without their ends. */
  readonly lines: string[] = [];
  /** Whether the other end sends nothing more: it closed its end, or the connection is closed. */
  ended = false;
  /** Whether the connection is closed in both directions. */
  closed = false;
  error: NodeJS.ErrnoException | undefined;
  #rest = '';
  #marks = 0;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('error', (error) => (this.error = error));
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => (this.ended = this.closed = true));
  }

  /** @param where path of a unix socket, or a port of 127.0.0.1. */
  static async connect(
    where: string | number,
    { read = true, allowHalfOpen = false }: TalkerOptions = {},
  ): Promise<Talker> {
    const target = typeof where === 'string' ? { path: where } : { port: where, host: '127.0.0.1' };
    const socket = connect({ ...target, allowHalfOpen });
    const talker = new Talker(socket);
    if (read) talker.read();
    await once(socket, 'connect');
    return talker;
  }

  /** Starts to read. Until then, what the other end sends waits in the buffers of the two sockets. */
  read(): void {
    this.socket.on('data', (text: string) => {
      // only the new text is searched, because one line can be megabytes long; a line's end can come in two parts
      const isSplit = this.#rest.endsWith('\r');
      if (isSplit) this.#rest = this.#rest.slice(0, -1);
      const [first = '', ...others] = (isSplit ? `\r${text}` : text).split('\r\n');
      this.#rest += first;
      for (const next of others) {
        this.lines.push(this.#rest);
        this.#rest = next;
      }
    });
  }

  /** The text of the unfinished line, e.g. a prompt. */
  get prompt(): string {
    return this.#rest;
  }

  /** Everything that has arrived. */
  get text(): string {
    return [...this.lines, this.#rest].join('\r\n');
  }

  /** Sends a line. */
  say(text: string): void {
    this.socket.write(`${text}\n`);
  }

  /**
   * Sends a command of OpenVPN and returns its answer. A second command follows, whose answer contains a unique text:
   * the lines before it are the answer to the first.
   */
  async ask(text: string): Promise<readonly string[]> {
    const mark = `MARK${this.#marks++}`;
    const before = this.lines.length;
    this.say(`${text}\nsignal ${mark}`);
    const end = `ERROR: signal '${mark}' is not a known signal type`;
    await until(`the answer to ${text}`, () => this.lines.includes(end, before));
    this.lines.splice(this.lines.indexOf(end, before), 1);
    return this.lines.slice(before);
  }

  /** Sends a command of subflowd, and returns the lines that arrive up to `END`, `SUCCESS:` or `ERROR:`. */
  async command(text: string): Promise<readonly string[]> {
    const before = this.lines.length;
    this.say(text);
    const isEnd = (line: string) => /^(?:END$|SUCCESS:|ERROR:)/.test(line);
    await until(`the answer to ${text}`, () => this.lines.slice(before).some(isEnd));
    return this.lines.slice(before);
  }

  /** Waits for a line that matches, also among those that have arrived already, and returns it. */
  async hears(pattern: RegExp, withinMs?: number): Promise<string> {
    return until(
      `${String(pattern)} in ${this.lines.slice(-20).join('\n')}`,
      () => this.lines.find((line) => pattern.test(line)),
      withinMs,
    );
  }

  /** Waits until the other end sends nothing more. */
  async isDisconnected(): Promise<void> {
    await until(`the end after ${this.lines.slice(-20).join('\n')}`, () => this.ended);
  }

  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length;
  }

  close(): void {
    this.socket.destroy();
  }
}
