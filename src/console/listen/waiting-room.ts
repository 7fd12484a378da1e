/** How many clients may be about to give their password. */
export interface WaitingLimits {
  readonly all: number;
  readonly perSource: number;
}

export const WAITING_LIMITS: WaitingLimits = { all: 32, perSource: 4 };

/** One who is about to give a password. */
export interface Waiting {
  readonly source: string;
  /** Makes room for another one. */
  putOut(reason: string): void;
}

/**
 * Those who are about to give their password. One more of a source that has its places is turned away; one of another
 * source never is: where all places are taken, the one who waits longest, of the source that has most, is put out.
 */
export class WaitingRoom {
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();

  constructor(private readonly limits: WaitingLimits = WAITING_LIMITS) {}

  /** @returns why there is no place for one of this source. */
  refusal(source: string): string | undefined {
    const { perSource } = this.limits;
    return this.#count(source) < perSource
      ? undefined
      : `${perSource} connections from ${source} are to give a password already`;
  }

  enter(one: Waiting): void {
    if (this.#waiting.size >= this.limits.all) {
      const longest = this.#longestOfMost();
      if (longest !== undefined) {
        this.#waiting.delete(longest);
        longest.putOut('no password was given in time, and others wait');
      }
    }
    this.#waiting.add(one);
  }

  leave(one: Waiting): void {
    this.#waiting.delete(one);
  }

  #count(source: string): number {
    return [...this.#waiting].filter((each) => each.source === source).length;
  }

  #longestOfMost(): Waiting | undefined {
    const counts = new Map<string, number>();
    for (const { source } of this.#waiting) counts.set(source, (counts.get(source) ?? 0) + 1);
    const most = Math.max(...counts.values());
    return [...this.#waiting].find(({ source }) => counts.get(source) === most);
  }
}
