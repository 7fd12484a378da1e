import { uptime } from 'node:os';

/** A difference between the two clocks that is not a jump, milliseconds: NTP slews, and both have limited resolution. */
const TOLERANCE_MS = 60_000;
/** How long a jump must last before it counts, milliseconds. */
export const ACCEPTED_AFTER_MS = 600_000;

/** The clocks of a {@link SteadyClock}, milliseconds. */
export interface Clocks {
  /** Unix time, which an admin or NTP can set. */
  readonly wall: () => number;
  /** The time since the host started, which only goes forward and includes the time that it was suspended. */
  readonly uptime: () => number;
}

/** The clocks of this host. */
export const HOST_CLOCKS: Clocks = { wall: () => Date.now(), uptime: () => uptime() * 1000 };

/**
 * Unix time that does not follow a short jump of the wall clock: a jump counts only after ten minutes. So a clock that is
 * wrong for a moment changes nothing.
 */
export class SteadyClock {
  /** What {@link Clocks.wall} minus {@link Clocks.uptime} is, milliseconds. */
  #offset: number;
  #jump: { readonly offset: number; readonly since: number } | undefined;

  constructor(private readonly clocks: Clocks = HOST_CLOCKS) {
    this.#offset = clocks.wall() - clocks.uptime();
  }

  /** Unix time, milliseconds. */
  now(): number {
    const up = this.clocks.uptime();
    const offset = this.clocks.wall() - up;
    if (Math.abs(offset - this.#offset) <= TOLERANCE_MS) {
      this.#offset = offset;
      this.#jump = undefined;
    } else if (this.#jump === undefined || Math.abs(offset - this.#jump.offset) > TOLERANCE_MS) {
      this.#jump = { offset, since: up };
    } else if (up - this.#jump.since >= ACCEPTED_AFTER_MS) {
      this.#offset = offset;
      this.#jump = undefined;
    }
    return up + this.#offset;
  }

  /** Milliseconds since the host started. */
  uptime(): number {
    return this.clocks.uptime();
  }
}
