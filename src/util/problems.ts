/** What emitters of problems emit. */
export interface ProblemMap {
  /**
   * Something that an admin should fix, in one sentence. With a key it lasts until the key is resolved, and one with the
   * same key takes its place; without, it was an event and is over.
   */
  problem: [text: string, key?: string];
  /** The problem with this key is over. */
  resolved: [key: string];
}

/** Who is told of problems. */
export interface ProblemListener {
  onProblem(text: string, key: string): void;
  onResolved(key: string): void;
}

/** That are open at once, of one source of problems. */
export const MOST_OPEN = 64;

/** Problems that last, each told of once until it is over or is another. */
export class Problems {
  readonly #open = new Map<string, string>();

  /** @param most that are open at once; more are not told of. */
  constructor(
    private readonly listener: ProblemListener,
    private readonly most = MOST_OPEN,
  ) {}

  open(key: string, text: string): void {
    const known = this.#open.get(key);
    if (known === text || (known === undefined && this.#open.size >= this.most)) return;
    this.#open.set(key, text);
    this.listener.onProblem(text, key);
  }

  resolve(key: string): void {
    if (this.#open.delete(key)) this.listener.onResolved(key);
  }

  isOpen(key: string): boolean {
    return this.#open.has(key);
  }

  resolveMatching(isOver: (key: string) => boolean): void {
    for (const key of [...this.#open.keys()].filter(isOver)) this.resolve(key);
  }
}
