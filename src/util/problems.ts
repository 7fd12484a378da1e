/** Events of an emitter of problems. */
export interface ProblemMap {
  /**
   * Something that an admin should fix, one sentence. With a key it lasts until the key is resolved; a later problem with the
   * same key replaces it. Without a key it happened once.
   */
  problem: [text: string, key?: string];
  /** The problem with this key is over. */
  resolved: [key: string];
}

/** Receives problems. */
export interface ProblemListener {
  onProblem(text: string, key: string): void;
  onResolved(key: string): void;
}

/** Largest number of open problems of one source. */
export const MAX_OPEN = 64;

/** Lasting problems. Each is reported once, again if its text changes, and when it is resolved. */
export class Problems {
  readonly #open = new Map<string, string>();

  /** @param most open problems; further ones are not reported. */
  constructor(
    private readonly listener: ProblemListener,
    private readonly most = MAX_OPEN,
  ) {}

  /** Reports a problem, unless the same text is open under this key already. */
  open(key: string, text: string): void {
    const known = this.#open.get(key);
    if (known === text || (known === undefined && this.#open.size >= this.most)) return;
    this.#open.set(key, text);
    this.listener.onProblem(text, key);
  }

  /** Ends the problem with this key, if there is one. */
  resolve(key: string): void {
    if (this.#open.delete(key)) this.listener.onResolved(key);
  }

  isOpen(key: string): boolean {
    return this.#open.has(key);
  }

  /** Ends the problems with matching keys. */
  resolveMatching(isOver: (key: string) => boolean): void {
    for (const key of [...this.#open.keys()].filter(isOver)) this.resolve(key);
  }
}
