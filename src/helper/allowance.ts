import { setTimeout as sleep } from 'node:timers/promises';

/** So much work at once, and so much in each second. More work waits. */
export class Allowance {
  #left: number;
  /** `performance.now()` */
  #at = performance.now();

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
  ) {
    this.#left = burst;
  }

  /** Resolves when this much work is allowed. */
  async take(amount: number): Promise<void> {
    const now = performance.now();
    this.#left = Math.min(this.burst, this.#left + ((now - this.#at) / 1000) * this.perSecond);
    this.#at = now;
    this.#left -= amount;
    if (this.#left < 0) await sleep((-this.#left / this.perSecond) * 1000);
  }
}
