import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './until.js';

/** A client of a management interface or a console. */
export class Talker {
  readonly lines: string[] = [];
  ended = false;
  #rest = '';
  #marks = 0;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\r\n');
      this.#rest = lines.pop() ?? '';
      this.lines.push(...lines);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => (this.ended = true));
  }

  static async connect(where: string | number): Promise<Talker> {
    const socket = typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1');
    const talker = new Talker(socket);
    await once(socket, 'connect');
    return talker;
  }

  /** The text of the unfinished line, e.g. a prompt. */
  get prompt(): string {
    return this.#rest;
  }

  /** Sends a line. */
  say(text: string): void {
    this.socket.write(`${text}\n`);
  }

  /**
   * Sends a command and returns its answer. A second command follows, whose answer contains a unique text: the lines before it
   * are the answer to the first.
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

  /** Waits for a line that matches, also among those that have arrived already, and returns it. */
  async hears(pattern: RegExp, withinMs?: number): Promise<string> {
    return until(
      `${String(pattern)} in ${this.lines.slice(-20).join('\n')}`,
      () => this.lines.find((line) => pattern.test(line)),
      withinMs,
    );
  }

  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length;
  }

  close(): void {
    this.socket.destroy();
  }
}
