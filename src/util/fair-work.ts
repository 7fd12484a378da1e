/** How much time a piece of work may take, as a bucket of milliseconds that fills steadily. */
export interface BudgetLimits {
  /** Most that can be saved up, milliseconds: what is done at once after a rest. */
  readonly burstMs: number;
  /** Part of the time that it may take in the long run: 0.1 is a tenth of a core. */
  readonly share: number;
}

/** The time that one piece of work has left. */
export class WorkBudget {
  #leftMs: number;
  #filledAt = performance.now();

  constructor(private readonly limits: BudgetLimits) {
    this.#leftMs = limits.burstMs;
  }

  spend(ms: number): void {
    this.#fill();
    this.#leftMs -= ms;
  }

  /** Milliseconds until there is something to spend again; 0 if there is. */
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

/** Work that can be interrupted. */
export interface SlicedWork {
  readonly budget: WorkBudget;
  /**
   * Works until nothing is left to do or the deadline (`performance.now()`) has passed. Must not throw.
   * @returns whether something is left.
   */
  work(deadline: number): boolean;
}

/** Longest that one piece of work keeps everything else waiting, milliseconds. */
const SLICE_MS = 3;

/**
 * Does several pieces of work side by side, a slice of each in turn. Between two slices the event loop serves whatever
 * else there is, so that much work for one delays nobody else by more than a slice of each. Work that has used up its
 * budget waits until there is something to spend again.
 */
export class FairWork {
  readonly #queue = new Set<SlicedWork>();
  readonly #waiting = new Map<SlicedWork, NodeJS.Timeout>();
  #next: NodeJS.Immediate | undefined;
  /** What has its turn: whether it is to go on, as it is asked for or cancelled meanwhile; undefined: as it says itself. */
  #turn: { readonly work: SlicedWork; goesOn: boolean | undefined } | undefined;

  /** Does this work soon, unless it is about to be done anyway. */
  request(work: SlicedWork): void {
    if (this.#turn?.work === work) {
      this.#turn.goesOn = true;
      return;
    }
    if (this.#queue.has(work) || this.#waiting.has(work)) return;
    this.#enqueue(work);
  }

  /** Does this work no more until it is asked for again, also where it is being done just now. */
  cancel(work: SlicedWork): void {
    if (this.#turn?.work === work) this.#turn.goesOn = false;
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
    const turn = { work, goesOn: undefined as boolean | undefined };
    this.#turn = turn;
    const start = performance.now();
    const isLeft = work.work(start + SLICE_MS);
    work.budget.spend(performance.now() - start);
    this.#turn = undefined;
    if (turn.goesOn ?? isLeft) this.#enqueue(work);
  }
}
