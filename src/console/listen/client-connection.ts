import type { Socket } from 'node:net';
import { LineSplitter } from '../../util/lines.js';
import type { Dialogue, Tell } from '../common/answer.js';
import type { UnreadAnswers, UnreadOfOne } from './unread.js';

/** What one client of the console may take. */
export interface ClientLimits {
  /** Milliseconds that an answer may lie unread before the client is cut off. */
  readonly unreadMs: number;
  /** Bytes of real-time messages that may lie unread. */
  readonly unreadBytes: number;
  /** Milliseconds for a client to hang up after it was told that it is cut off, or asked to leave. */
  readonly leaveMs: number;
  /** Milliseconds to give a password in. */
  readonly admitMs: number;
}

export const CLIENT_LIMITS: ClientLimits = {
  unreadMs: 30_000,
  unreadBytes: 1024 * 1024,
  leaveMs: 2_000,
  admitMs: 30_000,
};

/** Longest command line, bytes: a common name has at most 64 characters. */
export const MAX_LINE = 4096;
/** Lines that a client may send ahead of their answers. */
export const MAX_WAITING_LINES = 1000;
/** ... and their bytes: a command of several lines has up to 64 KiB. */
export const MAX_WAITING_BYTES = 256 * 1024;

/** Questions of one client that may be under way together; those that are the same share one answer. */
export const MOST_ASKED = 16;
/** Bytes of unread answers with which nothing more is asked meanwhile. */
export const MUCH_UNREAD = 1024 * 1024;

interface Asked {
  isQuestion: boolean;
  /** Once it is there. */
  answer?: { readonly text: Buffer; readonly hangUp?: boolean };
}

/** Many who are told the same have one copy of it. */
const texts = new WeakMap<readonly string[], Buffer>();

function textOf(lines: readonly string[]): Buffer {
  let text = texts.get(lines);
  if (text === undefined) {
    text = Buffer.from(lines.length === 0 ? '' : `${lines.join('\r\n')}\r\n`);
    texts.set(lines, text);
  }
  return text;
}

/**
 * Serves one client of the console: lines are answered in order, one at a time, except that a few questions may be under
 * way together, and the next is not looked at before the client took the answers that are there; so a client holds no
 * more memory than those few answers, which {@link UnreadAnswers} bounds, the waiting lines, and a bounded number of
 * real-time messages.
 */
export class ConsoleClient {
  readonly #lines = new LineSplitter(MAX_LINE);
  readonly #dialogue: Dialogue;
  /** What is to be done when all before it is answered: a line, or the end. */
  readonly #waiting: (string | (() => void))[] = [];
  /** Lines whose answers the client has not got, in order. */
  readonly #asked: Asked[] = [];
  /** The answers among them, and the one that it is reading. */
  readonly #answers: UnreadOfOne;
  #waitingBytes = 0;
  /** It has not read the last answer. */
  #stalled = false;
  #proceeding = false;
  #unread = 0;
  #leaving = false;

  /** @param socket allowed to be half open: a client that has said all may still wait for its answers. */
  constructor(
    private readonly socket: Socket,
    private readonly limits: ClientLimits,
    unread: UnreadAnswers,
    begin: (tell: Tell, hangUp: () => void) => Dialogue,
  ) {
    this.#answers = unread.client((reason) => {
      this.#asked.length = 0;
      this.#leave(`ERROR: ${reason}\r\n`);
    });
    this.#dialogue = begin(
      (lines) => {
        this.#tell(lines);
      },
      () => {
        this.#cutOff();
      },
    );
    if (this.#dialogue.prompt !== undefined) socket.write(this.#dialogue.prompt);
    const admission = setTimeout(() => {
      if (this.#dialogue.isAdmitted === false) this.#leave('\r\nERROR: no password was given in time\r\n');
    }, limits.admitMs);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    socket.on('end', () => {
      this.#then(() => {
        this.#leave();
      });
    });
    socket.on('drain', () => (this.#unread = 0));
    socket.on('close', () => {
      clearTimeout(admission);
      this.#answers.clear();
      this.#dialogue.leave();
    });
  }

  get #isGone(): boolean {
    return this.socket.destroyed || this.socket.writableEnded;
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
      if (this.#waiting.length >= MAX_WAITING_LINES) {
        this.#cutOff(`more than ${MAX_WAITING_LINES} commands wait for their answers`);
        return;
      }
      if (this.#waitingBytes > MAX_WAITING_BYTES) {
        this.#cutOff(`more than ${MAX_WAITING_BYTES} bytes of commands wait for their answers`);
        return;
      }
      this.#waitingBytes += line.length;
      this.#then(line);
    }
  }

  /** After everything that was asked before; nothing is done for a client that is gone. */
  #then(next: string | (() => void)): void {
    this.#waiting.push(next);
    this.#proceed();
  }

  /** In a loop, as a thousand lines that are answered at once must not nest. */
  #proceed(): void {
    if (this.#proceeding) return;
    this.#proceeding = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (typeof next === 'function') next();
      else this.#run(next);
    }
    this.#proceeding = false;
  }

  /** Takes what may be done now. */
  #next(): string | (() => void) | undefined {
    if (this.#stalled || this.#isGone) return undefined;
    const last = this.#asked.at(-1);
    const mayOverlap =
      last?.isQuestion &&
      this.#asked.length < MOST_ASKED &&
      this.#answers.bytes < MUCH_UNREAD &&
      typeof this.#waiting[0] === 'string';
    return last === undefined || mayOverlap ? this.#waiting.shift() : undefined;
  }

  #run(line: string): void {
    this.#waitingBytes -= line.length;
    const asked: Asked = { isQuestion: false };
    this.#asked.push(asked);
    asked.isQuestion = this.#dialogue.run(line, ({ lines, prompt, hangUp }) => {
      if (this.#isGone) return;
      const said = prompt === undefined ? textOf(lines) : Buffer.concat([textOf(lines), Buffer.from(prompt)]);
      const refusal = this.#answers.hold(said);
      const text = refusal === undefined ? said : Buffer.from(`ERROR: ${refusal}\r\n`);
      asked.answer = { text, ...(hangUp && { hangUp }) };
      this.#deliver();
    });
  }

  /** Gives the answers that are there, up to the first that is not. */
  #deliver(): void {
    while (!this.#stalled && !this.#isGone) {
      const answer = this.#asked[0]?.answer;
      if (answer === undefined) break;
      this.#asked.shift();
      this.#give(answer);
    }
    this.#proceed();
  }

  #give({ text, hangUp }: { readonly text: Buffer; readonly hangUp?: boolean }): void {
    const given = () => {
      this.#stalled = false;
      this.#answers.release(text);
      if (hangUp) this.#leave();
    };
    if (text.length === 0 || this.#write(text)) {
      given();
      return;
    }
    this.#stalled = true;
    this.#whenTaken(() => {
      given();
      this.#deliver();
    });
  }

  /** All that is written in one turn of the loop goes in one piece. */
  #write(text: Buffer): boolean {
    const { socket } = this;
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => {
        socket.uncork();
      });
    }
    return socket.write(text);
  }

  /** When the client has read what was written to it. */
  #whenTaken(act: () => void): void {
    const { socket } = this;
    const finish = () => {
      clearTimeout(timer);
      socket.off('drain', taken).off('close', finish);
    };
    const taken = () => {
      finish();
      act();
    };
    const timer = setTimeout(() => {
      finish();
      this.#leave(`ERROR: an answer lay unread for ${this.limits.unreadMs / 1000} s\r\n`);
    }, this.limits.unreadMs);
    socket.on('drain', taken).on('close', finish);
  }

  #tell(lines: readonly string[]): void {
    if (this.#isGone || this.#leaving) return;
    const text = textOf(lines);
    this.#unread = this.socket.writableLength === 0 ? text.length : this.#unread + text.length;
    if (this.#unread > this.limits.unreadBytes) {
      this.#leave(`ERROR: more than ${this.limits.unreadBytes} bytes of real-time messages lie unread\r\n`);
    } else this.#write(text);
  }

  /** When all that it asked is answered. */
  #cutOff(reason?: string): void {
    this.#leaving = true;
    this.#then(() => {
      this.#leave(reason === undefined ? '' : `ERROR: ${reason}\r\n`);
    });
  }

  /** What it still sends is read and dropped, so that it gets to read the last word instead of an error. */
  #leave(lastWord = ''): void {
    const { socket } = this;
    this.#leaving = true;
    if (this.#isGone) return;
    socket.end(lastWord);
    const timer = setTimeout(() => socket.destroy(), this.limits.leaveMs);
    socket.once('close', () => {
      clearTimeout(timer);
    });
  }
}
