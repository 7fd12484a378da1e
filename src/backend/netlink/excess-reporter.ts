import type { ClosedSubflows, ExcessSubflows } from '../../model/subflow-limits.js';

/** From the first closed subflow to its report, milliseconds: usually more follow at once. */
const FIRST_PAUSE_MS = 500;
/** From one report to the next, milliseconds. */
export const PAUSE_MS = 10_000;
/** Largest number of connections that one report names. */
export const NAMED = 10;
/** Largest number of connections that are counted one by one until the next report. */
const COUNTED = 1_000;

/** Counts by connection the subflows that were closed, and reports them at intervals. */
export class ExcessReporter {
  #listener: (excess: ExcessSubflows) => void = () => undefined;
  readonly #closed = new Map<string, ClosedSubflows>();
  /** Closed subflows of connections that are not counted one by one. */
  #others = 0;
  #timer: NodeJS.Timeout | undefined;
  #reportedAt = -Infinity;

  onExcess(listener: (excess: ExcessSubflows) => void): void {
    this.#listener = listener;
  }

  add(one: Omit<ClosedSubflows, 'closed'>): void {
    const key = `${one.pid} ${one.token}`;
    const known = this.#closed.get(key);
    if (known || this.#closed.size < COUNTED) {
      this.#closed.set(key, { ...one, closed: (known?.closed ?? 0) + 1 });
    } else this.#others++;
    this.#timer ??= setTimeout(
      () => {
        this.#report();
      },
      Math.max(FIRST_PAUSE_MS, this.#reportedAt + PAUSE_MS - performance.now()),
    ).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #report(): void {
    this.#timer = undefined;
    this.#reportedAt = performance.now();
    const all = [...this.#closed.values()].sort((one, other) => other.closed - one.closed);
    const closed = all.reduce((sum, one) => sum + one.closed, this.#others);
    this.#closed.clear();
    this.#others = 0;
    this.#listener({ closed, connections: all.length, worst: all.slice(0, NAMED) });
  }
}
