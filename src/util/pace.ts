/** How seldom a repeated piece of work may become; milliseconds where it is not a number of times. */
export interface Sparing {
  /** Least pause. */
  readonly least: number;
  /** How many times as long as the work takes is waited. */
  readonly times: number;
  /** Longest pause. */
  readonly longest: number;
}

/**
 * How long a repeated piece of work takes, and so how long to wait for the next: work that grows is done less often. Of the
 * last two times the lesser counts, so that one moment in which the machine stood still makes nothing seldom.
 */
export class Pace {
  #last = 0;
  #before = 0;

  /** @param ms how long it took, milliseconds. */
  took(ms: number): void {
    [this.#before, this.#last] = [this.#last, ms];
  }

  /** How long it takes, milliseconds; 0 until it was done twice. */
  get ms(): number {
    return Math.min(this.#before, this.#last);
  }

  /** Milliseconds to wait for the next. */
  pause({ least, times, longest }: Sparing): number {
    return Math.max(least, Math.min(times * this.ms, longest));
  }
}
