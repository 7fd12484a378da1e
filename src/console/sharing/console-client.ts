import type { Send } from '../common/answer.js';
import type { MultiLineCommand } from './multi-line-command.js';
import type { HoldClient } from './hold.js';

/** Commands that switch real-time messages on and off, each with the source of its messages: `>LOG:`. */
export const STREAMS = { log: 'LOG', echo: 'ECHO', state: 'STATE' } as const;

/** Real-time messages that a client can switch on and off, by their command. */
export type Stream = keyof typeof STREAMS;

/** OpenVPN counts in whole seconds. A report is on time if it is at most this many milliseconds early. */
const EARLY_MS = 300;

/** One console client. It has its own copy of every setting that OpenVPN keeps for its one management client. */
export class ConsoleClient implements HoldClient {
  /** Streams that OpenVPN must send because of this client. */
  readonly wantedStreams = new Set<Stream>();
  /** Streams that the client gets now: a wanted stream, once `on` was answered. */
  readonly sentStreams = new Set<Stream>();
  /** Interval of `bytecount` reports, seconds; 0: none. */
  bytecountSeconds = 0;
  /** Level of `env-filter`; 0: no filter. */
  envFilterLevel = 0;
  // see HoldClient
  hasSetHold = false;
  hasReleased = false;
  /** Whether it claims `auth` without a command, as soon as nobody else has it. */
  wantsAuth = false;
  /** The version of the management interface that the client understands. */
  version = 1;
  /** The command of several lines that the client has begun and not finished. */
  unfinishedCommand: MultiLineCommand | undefined;
  /** By CID: `performance.now()` of the last `bytecount` report. */
  readonly #reported = new Map<string, number>();

  /**
   * @param id unique among the clients of one OpenVPN; shown to people.
   * @param send sends real-time messages.
   * @param hangUp ends the connection when OpenVPN disconnects; without it, the client stays.
   */
  constructor(
    readonly id: number,
    readonly send: Send,
    readonly hangUp?: () => void,
  ) {}

  /** Whether a `bytecount` report on a CID is due. If it is, the next interval begins. */
  isDue(cid: string, now: number): boolean {
    if (this.bytecountSeconds === 0) return false;
    const last = this.#reported.get(cid);
    if (last !== undefined && now - last < this.bytecountSeconds * 1000 - EARLY_MS) return false;
    this.#reported.set(cid, now);
    return true;
  }

  /** Makes the next report due, on one CID or on all. */
  forgetReports(cid?: string): void {
    if (cid === undefined) this.#reported.clear();
    else this.#reported.delete(cid);
  }
}
