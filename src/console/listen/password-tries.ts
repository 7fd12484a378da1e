/** How passwords that are tried are slowed, in milliseconds. */
export interface TryLimits {
  /** Wrong ones that cost no time. */
  readonly free: number;
  /** The pause after the next one; it doubles with each. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** After this time without another wrong one they are forgotten. */
  readonly forgetMs: number;
  /** Sources that are remembered; beyond that, the one that was heard of longest ago is forgotten. */
  readonly sources: number;
}

export const TRY_LIMITS: TryLimits = {
  free: 3,
  firstMs: 500,
  longestMs: 15_000,
  forgetMs: 600_000,
  sources: 4096,
};

interface Tried {
  wrong: number;
  /** When the next try may be looked at, and when the last was wrong, by the clock. */
  nextAt: number;
  wrongAt: number;
}

/** Slows who tries passwords, by where they come from, however many connections they have; others are not slowed by it. */
export class PasswordTries {
  readonly #sources = new Map<string, Tried>();

  /** @param now a monotonic clock, milliseconds. */
  constructor(
    private readonly limits: TryLimits = TRY_LIMITS,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Takes a turn. @returns in how many milliseconds a password from there may be looked at. */
  takeTurn(source: string): number {
    const tried = this.#known(source);
    if (tried === undefined) return 0;
    const now = this.now();
    const at = Math.max(now, tried.nextAt);
    tried.nextAt = at + this.#pause(tried.wrong);
    return at - now;
  }

  wasWrong(source: string): void {
    const now = this.now();
    const tried = this.#known(source) ?? { wrong: 0, nextAt: 0, wrongAt: now };
    tried.wrong += 1;
    tried.wrongAt = now;
    tried.nextAt = Math.max(tried.nextAt, now + this.#pause(tried.wrong));
    // the last in the map's order is the one that was heard of last
    this.#sources.delete(source);
    this.#sources.set(source, tried);
    if (this.#sources.size <= this.limits.sources) return;
    const [oldest] = this.#sources.keys();
    if (oldest !== undefined) this.#sources.delete(oldest);
  }

  wasRight(source: string): void {
    this.#sources.delete(source);
  }

  #known(source: string): Tried | undefined {
    const tried = this.#sources.get(source);
    if (tried === undefined || this.now() - tried.wrongAt <= this.limits.forgetMs) return tried;
    this.#sources.delete(source);
    return undefined;
  }

  #pause(wrong: number): number {
    const { free, firstMs, longestMs } = this.limits;
    return wrong < free ? 0 : Math.min(longestMs, firstMs * 2 ** (wrong - free));
  }
}
