import { AnswerReader, needsSentinel, type Ending } from './answers.js';
import { COMMAND_NAMES } from './command-names.js';

/** A command of one or several lines, and how to recognise the end of its answer. */
export interface Request {
  /** Without the line end of the last line. */
  readonly text: string;
  readonly endings: readonly Ending[];
  /** The command changes nothing, so the same command of several clients can be sent once. */
  readonly isReadOnly?: boolean;
  /**
   * The command sets something that OpenVPN stores for its management client. It is accepted even if {@link MAX_WAITING}
   * commands wait, because OpenVPN must have what the console clients together need.
   */
  readonly isSetting?: boolean;
}

/** The parts of a complete answer, as lines; or `lost`: why there is no answer. */
export type Reply = { readonly parts: readonly (readonly string[])[] } | { readonly lost: string };

/** Takes the reply to a request. */
export type ReplyHandler = (reply: Reply) => void;

interface Exchange {
  readonly request: Request;
  readonly handlers: ReplyHandler[];
}

/** What {@link Exchanges} needs of its connection. */
export interface ExchangesOptions {
  readonly send: (text: string) => void;
  /** The connection cannot be used any more. The receiver closes it. */
  readonly onBroken: (reason: string) => void;
  /** Milliseconds until a command must have been answered. */
  readonly answerMs: number;
}

/** Longest answer in bytes. `status 3` has about 200 bytes for each client. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** Largest number of waiting commands. Enough for a console with all its clients, each with several commands. */
export const MAX_WAITING = 2_500;

/**
 * The commands for one connection to OpenVPN. They wait in one queue, and the next one is sent after the answer to the last
 * one. So an answer always belongs to the sent command, and OpenVPN holds at most one in memory. Handlers are called before
 * any later line is read.
 */
export class Exchanges {
  /** The first has been sent; the others wait. */
  #queue: Exchange[] = [];
  #reader: AnswerReader | undefined;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The process, when it is known. The answer to `pid` contains it and is the sentinel. */
  pid: number | undefined;

  constructor(private readonly options: ExchangesOptions) {}

  /** Whether no command waits for an answer. */
  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  /** Sends a command when its turn comes. Calls the handler once, and immediately if there is nothing to wait for. */
  ask(request: Request, handler: ReplyHandler): void {
    if (request.endings.length === 0) {
      handler({ parts: [] });
      return;
    }
    const same =
      request.isReadOnly &&
      this.#queue.slice(1).find((other) => other.request.isReadOnly && other.request.text === request.text);
    if (same) same.handlers.push(handler);
    else if (this.#queue.length >= MAX_WAITING && !request.isSetting)
      handler({ lost: `${MAX_WAITING} commands already wait for OpenVPN` });
    else {
      this.#queue.push({ request, handlers: [handler] });
      if (this.#queue.length === 1) this.#next();
    }
  }

  /** Whether a line that begins with `>` belongs to the current answer. */
  ownsMessage(line: string): boolean {
    return this.#reader?.ownsMessage(line) ?? false;
  }

  /** Takes a line that is not a real-time message. Ignores it if no command waits for an answer. */
  push(line: string): void {
    const [exchange] = this.#queue;
    if (exchange === undefined || this.#reader === undefined) return;
    this.#bytes += line.length + 1;
    if (this.#bytes > MAX_ANSWER_BYTES) {
      this.options.onBroken(
        `its answer to ${commandName(exchange)} is longer than ${MAX_ANSWER_BYTES} bytes`,
      );
      return;
    }
    this.#reader.push(line);
    if (!this.#reader.isDone) return;
    const { parts } = this.#reader;
    this.#queue.shift();
    this.#next();
    for (const handler of exchange.handlers) handler({ parts });
  }

  /** The connection has ended: replies to all handlers that there is no answer, for this reason. */
  clear(reason: string): void {
    clearTimeout(this.#timer);
    const queue = this.#queue;
    this.#queue = [];
    this.#reader = undefined;
    this.pid = undefined;
    for (const { handlers } of queue) for (const handler of handlers) handler({ lost: reason });
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
        `it does not answer ${commandName(exchange)} within ${this.options.answerMs / 1000} s: it waits for a script, or is blocked`,
      );
    }, this.options.answerMs);
  }
}

/** The name of the command, for a problem. An unknown word is not shown, because it can be a password. */
function commandName({ request: { text } }: Exchange): string {
  const [command = ''] = /^[^\s]*/.exec(text) ?? [];
  if (!COMMAND_NAMES.has(command)) return 'a command';
  return JSON.stringify(/^status \d$/.exec(text)?.[0] ?? command);
}
