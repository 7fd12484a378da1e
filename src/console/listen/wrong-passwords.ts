/** Largest number of sources that are reported by name in one minute. */
export const MAX_NAMED_SOURCES = 10;
/** Time in which each source is reported by name at most once, milliseconds. */
const WINDOW_MS = 60_000;

/** Reports wrong passwords. Each minute it names a few sources, each once, and then reports how many more there were. */
export class WrongPasswords {
  /** By source: wrong passwords after the one that was reported. */
  readonly #counts = new Map<string, number>();
  /** Wrong passwords of sources that were not reported by name. */
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
    else if (this.#counts.size < MAX_NAMED_SOURCES) {
      this.#counts.set(source, 0);
      this.report(`a wrong password from ${source}`);
    } else this.#more += 1;
  }

  /** Reports the wrong passwords that are not reported yet. */
  close(): void {
    clearTimeout(this.#window);
    this.#end();
  }

  #end(): void {
    this.#window = undefined;
    for (const [source, count] of this.#counts) {
      if (count > 0) this.report(`${count} more wrong passwords from ${source}`);
    }
    if (this.#more > 0) this.report(`${this.#more} more wrong passwords from other sources`);
    this.#counts.clear();
    this.#more = 0;
  }
}
