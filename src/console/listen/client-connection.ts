import type { Socket } from 'node:net';
import { LineSplitter } from '../../util/lines.js';
import type { Dialogue, Send } from '../common/answer.js';
import type { UnreadAnswers, ClientUnread } from './unread.js';

/** Limits of one console client. */
export interface ClientLimits {
  /** Milliseconds that an answer may be unread before the client is disconnected. */
  readonly unreadMs: number;
  /** Bytes of real-time messages that may be unread. */
  readonly unreadBytes: number;
  /** Milliseconds that a client has to close its end after the last answer, before the connection is destroyed. */
  readonly leaveMs: number;
  /** Milliseconds that a client has to give the password. */
  readonly admitMs: number;
}

/** The limits in use, except in tests. */
export const CLIENT_LIMITS: ClientLimits = {
  unreadMs: 30_000,
  unreadBytes: 1024 * 1024,
  leaveMs: 2_000,
  admitMs: 30_000,
};

/** Longest command line, bytes. */
export const MAX_LINE_BYTES = 4096;
/** Largest number of lines that wait while earlier ones are answered. */
export const MAX_WAITING_LINES = 1000;
/** Largest number of bytes of these lines. A command of several lines has up to 64 KiB. */
export const MAX_WAITING_BYTES = 256 * 1024;

/** Largest number of queries of one client that wait for answers at the same time. Equal queries share one answer. */
export const MAX_QUERIES = 16;
/** While this many bytes of answers are unread, no further query is started. */
export const MUCH_UNREAD_BYTES = 1024 * 1024;

/** An answer as it is written to the client. */
interface EncodedAnswer {
  readonly text: Buffer;
  readonly closesConnection?: boolean;
}

/** A line that is run and whose answer is not written yet. */
interface PendingAnswer {
  isQuery: boolean;
  /** Absent while the answer is not known. */
  answer?: EncodedAnswer;
}

/** What is done in the order in which it arrived: a line to run, or a function to call. */
type Work = string | (() => void);

/** Encoded lines, so that clients that get the same lines share one copy. */
const encoded = new WeakMap<readonly string[], Buffer>();

function encode(lines: readonly string[]): Buffer {
  let text = encoded.get(lines);
  if (text === undefined) {
    text = Buffer.from(lines.length === 0 ? '' : `${lines.join('\r\n')}\r\n`);
    encoded.set(lines, text);
  }
  return text;
}

/**
 * The connection of one console client. Lines are run and answered in order. The next line is run after the answer to the
 * last one; only queries may wait for a few answers at the same time. No line is run before the client has read the answers
 * that were written. So the memory for a client is limited: a few answers ({@link UnreadAnswers}), the waiting lines, and the
 * unread real-time messages.
 */
export class ClientConnection {
  readonly #lines = new LineSplitter(MAX_LINE_BYTES);
  readonly #dialogue: Dialogue;
  /** The work that is not done yet, in order. */
  readonly #waiting: Work[] = [];
  /** The bytes of the lines in `#waiting`. */
  #waitingBytes = 0;
  /** The lines that are run and not answered yet, in order. */
  readonly #pending: PendingAnswer[] = [];
  /** The known answers of `#pending`, and the one that the client is reading. */
  readonly #answers: ClientUnread;
  /** Whether the client has not read the last answer. */
  #isStalled = false;
  /** Whether the loop of `#proceed` runs. A call from inside it does nothing. */
  #isProceeding = false;
  /** The bytes of real-time messages that the client has not read. */
  #unreadBytes = 0;
  /** Whether the connection is ending, so nothing more is read from the client. */
  #isLeaving = false;

  /** @param socket must allow half-open connections, because a client may close its end and still wait for answers. */
  constructor(
    private readonly socket: Socket,
    private readonly limits: ClientLimits,
    unread: UnreadAnswers,
    begin: (send: Send, hangUp: () => void) => Dialogue,
  ) {
    this.#answers = unread.client((reason) => {
      this.#pending.length = 0;
      this.#end(`ERROR: ${reason}\r\n`);
    });
    this.#dialogue = begin(
      (lines) => {
        this.#send(lines);
      },
      () => {
        this.#endAfterAnswers();
      },
    );
    if (this.#dialogue.prompt !== undefined) socket.write(this.#dialogue.prompt);
    const admission = setTimeout(() => {
      if (this.#dialogue.isAdmitted === false) this.#end('\r\nERROR: no password was given in time\r\n');
    }, limits.admitMs);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    socket.on('end', () => {
      this.#enqueue(() => {
        this.#end();
      });
    });
    socket.on('drain', () => (this.#unreadBytes = 0));
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
    if (this.#isLeaving) return;
    let lines: string[];
    try {
      lines = this.#lines.push(chunk);
    } catch {
      this.#endAfterAnswers(`a line is longer than ${MAX_LINE_BYTES} bytes`);
      return;
    }
    for (const line of lines) {
      if (this.#waiting.length >= MAX_WAITING_LINES) {
        this.#endAfterAnswers(`more than ${MAX_WAITING_LINES} commands wait for their answers`);
        return;
      }
      if (this.#waitingBytes > MAX_WAITING_BYTES) {
        this.#endAfterAnswers(`more than ${MAX_WAITING_BYTES} bytes of commands wait for their answers`);
        return;
      }
      this.#waitingBytes += line.length;
      this.#enqueue(line);
    }
  }

  /** Adds work to do when everything before it is answered. It is not done if the client has left. */
  #enqueue(next: Work): void {
    this.#waiting.push(next);
    this.#proceed();
  }

  /** Does the work that may be done now. A loop and not a recursion, because a thousand lines can be answered at once. */
  #proceed(): void {
    if (this.#isProceeding) return;
    this.#isProceeding = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (typeof next === 'function') next();
      else this.#run(next);
    }
    this.#isProceeding = false;
  }

  /** Takes the next work that may be done now. */
  #next(): Work | undefined {
    if (this.#isStalled || this.#isGone) return undefined;
    const last = this.#pending.at(-1);
    const mayOverlap =
      last?.isQuery &&
      this.#pending.length < MAX_QUERIES &&
      this.#answers.bytes < MUCH_UNREAD_BYTES &&
      typeof this.#waiting[0] === 'string';
    return last === undefined || mayOverlap ? this.#waiting.shift() : undefined;
  }

  #run(line: string): void {
    this.#waitingBytes -= line.length;
    const pending: PendingAnswer = { isQuery: false };
    this.#pending.push(pending);
    pending.isQuery = this.#dialogue.run(line, ({ lines, prompt, closesConnection }) => {
      if (this.#isGone) return;
      const answer =
        prompt === undefined ? encode(lines) : Buffer.concat([encode(lines), Buffer.from(prompt)]);
      const refusal = this.#answers.keep(answer);
      const text = refusal === undefined ? answer : Buffer.from(`ERROR: ${refusal}\r\n`);
      pending.answer = { text, ...(closesConnection && { closesConnection }) };
      this.#deliver();
    });
  }

  /** Writes the known answers, up to the first that is not known yet. */
  #deliver(): void {
    while (!this.#isStalled && !this.#isGone) {
      const answer = this.#pending[0]?.answer;
      if (answer === undefined) break;
      this.#pending.shift();
      this.#writeAnswer(answer);
    }
    this.#proceed();
  }

  #writeAnswer({ text, closesConnection }: EncodedAnswer): void {
    const finish = () => {
      this.#isStalled = false;
      this.#answers.release(text);
      if (closesConnection) this.#end();
    };
    if (text.length === 0 || this.#write(text)) {
      finish();
      return;
    }
    this.#isStalled = true;
    this.#whenDrained(() => {
      finish();
      this.#deliver();
    });
  }

  /**
   * Writes to the socket. Everything that is written in one turn of the event loop is sent together.
   * @returns false if the client has to read first: see `socket.write`.
   */
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

  /** Calls back when the client has read what was written to it. */
  #whenDrained(act: () => void): void {
    const { socket } = this;
    const finish = () => {
      clearTimeout(timer);
      socket.off('drain', onDrain).off('close', finish);
    };
    const onDrain = () => {
      finish();
      act();
    };
    const timer = setTimeout(() => {
      finish();
      this.#end(`ERROR: an answer was not read for ${this.limits.unreadMs / 1000} s\r\n`);
    }, this.limits.unreadMs);
    socket.on('drain', onDrain).on('close', finish);
  }

  /** Sends real-time messages, which wait for no answer. */
  #send(lines: readonly string[]): void {
    if (this.#isGone || this.#isLeaving) return;
    const text = encode(lines);
    this.#unreadBytes = this.socket.writableLength === 0 ? text.length : this.#unreadBytes + text.length;
    if (this.#unreadBytes > this.limits.unreadBytes) {
      this.#end(`ERROR: more than ${this.limits.unreadBytes} bytes of real-time messages are unread\r\n`);
    } else this.#write(text);
  }

  /** Ends the connection after everything before is answered. */
  #endAfterAnswers(reason?: string): void {
    this.#isLeaving = true;
    this.#enqueue(() => {
      this.#end(reason === undefined ? '' : `ERROR: ${reason}\r\n`);
    });
  }

  /** Ends the connection. What the client still sends is discarded, so that it can read the last line and not an error. */
  #end(lastLine = ''): void {
    const { socket } = this;
    this.#isLeaving = true;
    if (this.#isGone) return;
    socket.end(lastLine);
    const timer = setTimeout(() => socket.destroy(), this.limits.leaveMs);
    socket.once('close', () => {
      clearTimeout(timer);
    });
  }
}
