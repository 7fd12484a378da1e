import type { Socket } from 'node:net';
import { LineSplitter } from '../lines.js';
import type { Answer } from './commands.js';
import { printable } from './printable.js';

/** What one client of the console may take. */
export interface ClientLimits {
  /** Milliseconds that an answer may lie unread before the client is cut off. */
  readonly unreadMs: number;
  /** Milliseconds for a client to hang up after it was told that it is cut off, or asked to leave. */
  readonly leaveMs: number;
}

export const CLIENT_LIMITS: ClientLimits = { unreadMs: 30_000, leaveMs: 2_000 };

/** Longest command line, bytes: a common name has at most 64 characters. */
const MAX_LINE = 4096;
/** Lines that a client may send ahead of their answers. */
const MAX_WAITING_LINES = 1000;

/**
 * Serves one client of the console: lines are answered in order, one at a time, and the next is not looked at before
 * the client took the answer to the last; so a client holds no more memory than one answer and the waiting lines.
 */
export class ConsoleClient {
  readonly #lines = new LineSplitter(MAX_LINE);
  #answered = Promise.resolve();
  #waiting = 0;
  #leaving = false;

  /** @param socket allowed to be half open: a client that has said all may still wait for its answers. */
  constructor(
    private readonly socket: Socket,
    private readonly run: (line: string) => Promise<Answer>,
    private readonly limits: ClientLimits,
  ) {
    socket.write(">INFO:subflowd console -- type 'help' for the commands\r\n");
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    socket.on('end', () => {
      this.#then(() => {
        this.#leave();
      });
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#leaving) return;
    let lines: string[];
    try {
      lines = this.#lines.push(chunk);
    } catch {
      this.#cutOff(`a line is longer than ${MAX_LINE} bytes`);
      return;
    }
    for (const line of lines) {
      if (++this.#waiting > MAX_WAITING_LINES) {
        this.#cutOff(`more than ${MAX_WAITING_LINES} commands wait for their answers`);
        return;
      }
      this.#then(async () => {
        await this.#answer(line);
        this.#waiting--;
      });
    }
  }

  /** After everything that was asked before; nothing is done for a client that is gone. */
  #then(act: () => void | Promise<void>): void {
    this.#answered = this.#answered.then(() => {
      if (!this.socket.destroyed && !this.socket.writableEnded) return act();
    });
  }

  async #answer(line: string): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.run(line);
    } catch (error) {
      answer = { lines: [`ERROR: ${printable((error as Error).message)}`] };
    }
    const text = answer.lines.map((each) => `${each}\r\n`).join('');
    if (!this.socket.destroyed && !this.socket.write(text)) await this.#taken();
    if (answer.hangUp) this.#leave();
  }

  /** Resolves when the client has read what was written to it, or is gone. */
  async #taken(): Promise<void> {
    const { socket } = this;
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        socket.off('drain', finish).off('close', finish);
        resolve();
      };
      // It does not read: nothing more can be said to it.
      const timer = setTimeout(() => socket.destroy(), this.limits.unreadMs);
      socket.on('drain', finish).on('close', finish);
    });
  }

  #cutOff(reason: string): void {
    this.#leaving = true;
    this.#then(() => {
      this.#leave(`ERROR: ${reason}\r\n`);
    });
  }

  /** What it still sends is read and dropped, so that it gets to read the last word instead of an error. */
  #leave(lastWord = ''): void {
    const { socket } = this;
    this.#leaving = true;
    if (socket.destroyed || socket.writableEnded) return;
    socket.end(lastWord);
    const timer = setTimeout(() => socket.destroy(), this.limits.leaveMs);
    socket.once('close', () => {
      clearTimeout(timer);
    });
  }
}
