/** How much time a piece of work may take: a token bucket of milliseconds. */
export interface BudgetLimits {
  /** Size of the bucket, milliseconds: the time that work may take at once after a pause. */
  readonly burstMs: number;
  /** Share of the time that it may take in the long run, 0 to 1: 0.1 is a tenth of a core. */
  readonly share: number;
}

/** The time that one piece of work may still take. */
export class WorkBudget {
  #leftMs: number;
  #filledAt = performance.now();

  constructor(private readonly limits: BudgetLimits) {
    this.#leftMs = limits.burstMs;
  }

  /** Takes time from the budget, milliseconds. It may become negative. */
  spend(ms: number): void {
    this.#fill();
    this.#leftMs -= ms;
  }

  /** Milliseconds until the budget is positive again; 0 if it is. */
  waitMs(): number {
    this.#fill();
    return this.#leftMs > 0 ? 0 : (1 - this.#leftMs) / this.limits.share;
  }

  #fill(): void {
    const now = performance.now();
    const { burstMs, share } = this.limits;
    this.#leftMs = Math.min(burstMs, this.#leftMs + (now - this.#filledAt) * share);
    this.#filledAt = now;
  }
}

/** Work that can be done in slices. */
export interface SlicedWork {
  readonly budget: WorkBudget;
  /**
   * Works until the work is done or the deadline (`performance.now()`) has passed. Must not throw.
   * @returns whether work is left.
   */
  work(deadline: number): boolean;
}

/** Longest slice, milliseconds. Everything else waits that long. */
const SLICE_MS = 3;

/**
 * Does several pieces of work in turn, one slice at a time. Between two slices the event loop handles other events. So a large
 * piece of work delays everything else by at most one slice of each piece. Work without budget waits until it has some again.
 */
export class FairWork {
  readonly #queue = new Set<SlicedWork>();
  readonly #waiting = new Map<SlicedWork, NodeJS.Timeout>();
  #next: NodeJS.Immediate | undefined;
  /** The running slice. `continues` is set by a request or a cancellation meanwhile; undefined: the work itself decides. */
  #turn: { readonly work: SlicedWork; continues: boolean | undefined } | undefined;

  /** Schedules this work, unless it is scheduled already. */
  request(work: SlicedWork): void {
    if (this.#turn?.work === work) {
      this.#turn.continues = true;
      return;
    }
    if (this.#queue.has(work) || this.#waiting.has(work)) return;
    this.#enqueue(work);
  }

  /** Stops this work until it is requested again, also during its slice. */
  cancel(work: SlicedWork): void {
    if (this.#turn?.work === work) this.#turn.continues = false;
    this.#queue.delete(work);
    clearTimeout(this.#waiting.get(work));
    this.#waiting.delete(work);
    if (this.#queue.size > 0 || this.#next === undefined) return;
    clearImmediate(this.#next);
    this.#next = undefined;
  }

  #enqueue(work: SlicedWork): void {
    const wait = work.budget.waitMs();
    if (wait === 0) {
      this.#queue.add(work);
      this.#schedule();
      return;
    }
    const timer = setTimeout(() => {
      this.#waiting.delete(work);
      this.#enqueue(work);
    }, wait);
    this.#waiting.set(work, timer);
  }

  #schedule(): void {
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      const [work] = this.#queue;
      if (work === undefined) return;
      this.#queue.delete(work);
      this.#runSlice(work);
      if (this.#queue.size > 0) this.#schedule();
    });
  }

  #runSlice(work: SlicedWork): void {
    const turn = { work, continues: undefined as boolean | undefined };
    this.#turn = turn;
    const start = performance.now();
    const isLeft = work.work(start + SLICE_MS);
    work.budget.spend(performance.now() - start);
    this.#turn = undefined;
    if (turn.continues ?? isLeft) this.#enqueue(work);
  }
}
