/** Sources that are named in one minute. */
export const MOST_NAMED = 10;
const WINDOW_MS = 60_000;

/** Reports wrong passwords: each source once a minute, a few sources a minute, and how many more there were. */
export class WrongPasswords {
  /** How many of each source are not reported yet; those of one that was named begin at 0. */
  readonly #counts = new Map<string, number>();
  #more = 0;
  #window: NodeJS.Timeout | undefined;

  constructor(
    private readonly report: (text: string) => void,
    private readonly windowMs = WINDOW_MS,
  ) {}

  add(source: string): void {
    this.#window ??= setTimeout(() => {
      this.#end();
    }, this.windowMs).unref();
    const count = this.#counts.get(source);
    if (count !== undefined) this.#counts.set(source, count + 1);
    else if (this.#counts.size < MOST_NAMED) {
      this.#counts.set(source, 0);
      this.report(`a wrong password from ${source}`);
    } else this.#more += 1;
  }

  /** Reports what is not reported yet. */
  close(): void {
    clearTimeout(this.#window);
    this.#end();
  }

  #end(): void {
    this.#window = undefined;
    for (const [source, count] of this.#counts) {
      if (count > 0) this.report(`${count} more wrong passwords from ${source}`);
    }
    if (this.#more > 0) this.report(`${this.#more} more wrong passwords from others`);
    this.#counts.clear();
    this.#more = 0;
  }
}
