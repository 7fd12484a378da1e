/** How long to wait between two runs of a repeated piece of work. */
export interface RateLimit {
  /** Shortest pause, milliseconds. */
  readonly leastMs: number;
  /** The pause is this many times as long as one run takes. So the work uses at most 1 / (1 + factor) of a core. */
  readonly factor: number;
  /** Longest pause, milliseconds. */
  readonly longestMs: number;
}

/**
 * Measures how long a repeated piece of work takes, and derives the pause before the next run: work that takes longer is
 * done less often. The shorter of the last two durations counts. So one slow run
 * does not make the next pause long.
 */
export class Pace {
  #last = 0;
  #before = 0;

  /** @param ms duration of one run, milliseconds. */
  addDuration(ms: number): void {
    [this.#before, this.#last] = [this.#last, ms];
  }

  /** Duration of one run, milliseconds; 0 until there were two. */
  get durationMs(): number {
    return Math.min(this.#before, this.#last);
  }

  /** Milliseconds to wait before the next run. */
  pauseMs({ leastMs, factor, longestMs }: RateLimit): number {
    return Math.max(leastMs, Math.min(factor * this.durationMs, longestMs));
  }
}
