import { AnswerReader, needsSentinel, type Ending } from './answers.js';
import { COMMAND_NAMES } from './command-names.js';

/** One command, with its lines where it has several, and how the end of its answer is known. */
export interface Request {
  /** Without the last line end. */
  readonly text: string;
  readonly endings: readonly Ending[];
  /** It changes nothing: all who ask the same before it is sent can have one answer. */
  readonly isReadOnly?: boolean;
  /**
   * It sets what OpenVPN keeps of its management client, as all clients of a console together need it: taken however many
   * commands of theirs wait.
   */
  readonly isSetting?: boolean;
}

/** An answer, whole, in its parts; or why there is none. */
export type Reply = { readonly parts: readonly (readonly string[])[] } | { readonly lost: string };

export type ReplyHandler = (reply: Reply) => void;

interface Exchange {
  readonly request: Request;
  readonly handlers: ReplyHandler[];
}

export interface ExchangesOptions {
  readonly send: (text: string) => void;
  /** The connection is of no use any more: whoever is told ends it. */
  readonly onBroken: (reason: string) => void;
  /** Milliseconds until a command must have been answered. */
  readonly answerMs: number;
}

/** Of one answer; `status 3` has about 200 bytes for a client. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** Those of a full console, which can ask several each. */
export const MAX_WAITING = 2_500;

/**
 * The commands for one connection to OpenVPN, in one queue, one at a time: so an answer is the answer to the command
 * that is out, and OpenVPN never holds more than one of them in memory. Takers are called at once, before anything that
 * came behind the answer is looked at.
 */
export class Exchanges {
  /** The first is out; the others wait. */
  #queue: Exchange[] = [];
  #reader: AnswerReader | undefined;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The process, once it is known; its number marks the end of answers that have none. */
  pid: number | undefined;

  constructor(private readonly options: ExchangesOptions) {}

  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  ask(request: Request, taker: ReplyHandler): void {
    if (request.endings.length === 0) {
      taker({ parts: [] });
      return;
    }
    const same =
      request.isReadOnly &&
      this.#queue.slice(1).find((other) => other.request.isReadOnly && other.request.text === request.text);
    if (same) same.handlers.push(taker);
    else if (this.#queue.length >= MAX_WAITING && !request.isSetting)
      taker({ lost: `${MAX_WAITING} commands wait for OpenVPN already` });
    else {
      this.#queue.push({ request, handlers: [taker] });
      if (this.#queue.length === 1) this.#next();
    }
  }

  /** Whether a line that begins with `>` is of the answer that is awaited. */
  ownsNotice(line: string): boolean {
    return this.#reader?.ownsNotice(line) ?? false;
  }

  /** Takes a line that is no real-time message. One that nobody asked for is left unread. */
  push(line: string): void {
    const [exchange] = this.#queue;
    if (exchange === undefined || this.#reader === undefined) return;
    this.#bytes += line.length + 1;
    if (this.#bytes > MAX_ANSWER_BYTES) {
      this.options.onBroken(`its answer to ${name(exchange)} is longer than ${MAX_ANSWER_BYTES} bytes`);
      return;
    }
    this.#reader.push(line);
    if (!this.#reader.isDone) return;
    const { parts } = this.#reader;
    this.#queue.shift();
    this.#next();
    for (const taker of exchange.handlers) taker({ parts });
  }

  /** Tells everybody that there will be no answer. */
  clear(reason: string): void {
    clearTimeout(this.#timer);
    const queue = this.#queue;
    this.#queue = [];
    this.#reader = undefined;
    this.pid = undefined;
    for (const { handlers: takers } of queue) for (const taker of takers) taker({ lost: reason });
  }

  #next(): void {
    clearTimeout(this.#timer);
    this.#bytes = 0;
    this.#reader = undefined;
    const [exchange] = this.#queue;
    if (exchange === undefined) return;
    const { text, endings } = exchange.request;
    this.#reader = new AnswerReader(endings, (line) => line === `SUCCESS: pid=${this.pid ?? ''}`);
    this.options.send(needsSentinel(endings) ? `${text}\npid\n` : `${text}\n`);
    this.#timer = setTimeout(() => {
      this.options.onBroken(
        `it does not answer ${name(exchange)} within ${this.options.answerMs / 1000} s: it waits for a script, or hangs`,
      );
    }, this.options.answerMs);
  }
}

/** For messages: the command's name, if it is one; whatever else stands there can be a password. */
function name({ request: { text } }: Exchange): string {
  const [command = ''] = /^[^\s]*/.exec(text) ?? [];
  if (!COMMAND_NAMES.has(command)) return 'a command';
  return JSON.stringify(/^status \d$/.exec(text)?.[0] ?? command);
}
