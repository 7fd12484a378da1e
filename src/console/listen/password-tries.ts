/** How tries of passwords are slowed down. */
export interface TryLimits {
  /** Number of wrong passwords from which on there are pauses. */
  readonly free: number;
  /** The first pause, milliseconds. It doubles with each wrong password. */
  readonly firstMs: number;
  /** The longest pause, milliseconds. */
  readonly longestMs: number;
  /** Milliseconds without a wrong password after which a source is forgotten. */
  readonly forgetMs: number;
  /** Largest number of remembered sources. If there are more, the one with the oldest wrong password is forgotten. */
  readonly sources: number;
}

/** The limits in use, except in tests. */
export const TRY_LIMITS: TryLimits = {
  free: 3,
  firstMs: 500,
  longestMs: 15_000,
  forgetMs: 600_000,
  sources: 4096,
};

interface SourceTries {
  wrong: number;
  /** When the next try may be checked, milliseconds of the monotonic clock. */
  nextAt: number;
  /** When the last password was wrong, by the same clock. */
  wrongAt: number;
}

/** Slows down the tries of each source, over all its connections. Other sources are not affected. */
export class PasswordTries {
  readonly #sources = new Map<string, SourceTries>();

  /** @param now a monotonic clock, milliseconds. */
  constructor(
    private readonly limits: TryLimits = TRY_LIMITS,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Returns after how many milliseconds a password of this source may be checked, and reserves that time for it. */
  nextDelayMs(source: string): number {
    const tried = this.#current(source);
    if (tried === undefined) return 0;
    const now = this.now();
    const at = Math.max(now, tried.nextAt);
    tried.nextAt = at + this.#pause(tried.wrong);
    return at - now;
  }

  wasWrong(source: string): void {
    const now = this.now();
    const tried = this.#current(source) ?? { wrong: 0, nextAt: 0, wrongAt: now };
    tried.wrong += 1;
    tried.wrongAt = now;
    tried.nextAt = Math.max(tried.nextAt, now + this.#pause(tried.wrong));
    // set again, so that the map is ordered by the last wrong password
    this.#sources.delete(source);
    this.#sources.set(source, tried);
    if (this.#sources.size <= this.limits.sources) return;
    const [oldest] = this.#sources.keys();
    if (oldest !== undefined) this.#sources.delete(oldest);
  }

  wasRight(source: string): void {
    this.#sources.delete(source);
  }

  #current(source: string): SourceTries | undefined {
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
