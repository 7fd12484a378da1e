import type { Tell } from '../common/answer.js';
import type { Block } from './block.js';
import type { Holder } from './hold.js';

/** Real-time messages that OpenVPN sends from `on` to `off`, by the command's name and the message's. */
export const STREAMS = { log: 'LOG', echo: 'ECHO', state: 'STATE' } as const;

export type Stream = keyof typeof STREAMS;

/** OpenVPN counts in whole seconds: a report that comes this many milliseconds early is on time. */
const EARLY_MS = 300;

/** What OpenVPN would keep of its one management client, kept of each. */
export class Seat implements Holder {
  /** Streams that OpenVPN must send for it ... */
  readonly wants = new Set<Stream>();
  /** ... and those that it is sent: from the answer to `on` on. */
  readonly gets = new Set<Stream>();
  /** Seconds; 0: none. */
  bytecount = 0;
  envFilter = 0;
  holds: boolean | undefined;
  released = false;
  /** The version of the management interface that it understands ... */
  version = 1;
  /** ... and whether it said so. */
  saidVersion = false;
  /** The command of several lines that it is giving. */
  block: Block | undefined;
  /** `performance.now()` of the last report by CID. */
  readonly #reported = new Map<string, number>();

  /**
   * @param id tells clients apart, for people.
   * @param hangUp ends it while OpenVPN is away; without it, it stays.
   */
  constructor(
    readonly id: number,
    readonly tell: Tell,
    readonly hangUp?: () => void,
  ) {}

  /** Whether its interval has passed for a CID. */
  isDue(cid: string, now: number): boolean {
    if (this.bytecount === 0) return false;
    const last = this.#reported.get(cid);
    if (last !== undefined && now - last < this.bytecount * 1000 - EARLY_MS) return false;
    this.#reported.set(cid, now);
    return true;
  }

  forgetReports(cid?: string): void {
    if (cid === undefined) this.#reported.clear();
    else this.#reported.delete(cid);
  }
}
