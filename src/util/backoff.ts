/** Exponential back-off with jitter, so that many processes do not retry at the same moment. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #failures = 0;

  constructor(minMs = 250, maxMs = 15_000) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  /** Milliseconds to wait before the next attempt: 50 to 100 % of a time that doubles with each failure up to the maximum. */
  next(): number {
    const span = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.max(this.#minMs, span * (0.5 + Math.random() / 2));
  }

  reset(): void {
    this.#failures = 0;
  }
}
