import type { ProblemListener } from '../../util/problems.js';

/** Files named one by one within a minute; of the rest only the number is told. */
export const MOST_PER_MINUTE = 10;
const COMPLAINTS_MS = 60_000;
/** Named files that are remembered, and shown until they are gone: few, so that other problems are shown beside them. */
export const MOST_NAMED = 5;
/** Least time between two reports of one kind, milliseconds: a state that somebody toggles is not reported each time. */
export const LEAST_PAUSE_MS = 10_000;

interface Known {
  readonly text: string;
  readonly toldAt: number;
  readonly isSolved: boolean;
}

/** What is wrong with one directory, told so that whoever can make trouble there cannot fill the log. */
export class DirectoryProblems {
  readonly #known = new Map<string, Known>();
  readonly #named = new Set<string>();
  #complaints = 0;
  #countedSince = -Infinity;
  #isSummarized = false;
  #uncounted: { readonly count: number; readonly example: string } | undefined;

  constructor(
    private readonly directory: string,
    private readonly listener: ProblemListener,
  ) {}

  /** Reports a problem of one kind, unless the same was reported last, or anything of that kind just now. */
  report(kind: string, text: string): void {
    const known = this.#known.get(kind);
    const now = performance.now();
    if (known !== undefined) {
      if (!known.isSolved && known.text === text) return;
      if (now - known.toldAt < LEAST_PAUSE_MS) return;
    }
    this.#known.set(kind, { text, toldAt: now, isSolved: false });
    this.listener.onProblem(text, this.#keyOf(kind));
  }

  resolve(kind: string): void {
    const known = this.#known.get(kind);
    if (known === undefined || known.isSolved) return;
    if (performance.now() - known.toldAt < LEAST_PAUSE_MS)
      this.#known.set(kind, { ...known, isSolved: true });
    else this.#known.delete(kind);
    this.listener.onResolved(this.#keyOf(kind));
  }

  /** Says what is wrong with one file, or only counts it. */
  reportFile(file: string, reason: string, remedy: string): void {
    this.#turnMinute();
    const text = `${JSON.stringify(file)} ${reason}`;
    if (this.#complaints++ >= MOST_PER_MINUTE) {
      this.#uncounted = { count: (this.#uncounted?.count ?? 0) + 1, example: text };
      return;
    }
    const [first] = this.#named;
    if (this.#named.size >= MOST_NAMED && first !== undefined) this.resolveFile(first);
    this.#named.add(file);
    this.listener.onProblem(`${text}; ${remedy}`, this.#keyOf(`file ${file}`));
  }

  /** The file is gone, or is another. */
  resolveFile(file: string): void {
    if (this.#named.delete(file)) this.listener.onResolved(this.#keyOf(`file ${file}`));
  }

  /** Reports how many files were only counted so far; no more often than single ones are named. */
  reportRest(): void {
    this.#turnMinute();
    if (this.#uncounted === undefined || this.#isSummarized) return;
    const { count, example } = this.#uncounted;
    this.#uncounted = undefined;
    this.#isSummarized = true;
    const text = `${count} more files in ${this.directory} are no records of sessions; the last: ${example}`;
    this.listener.onProblem(text, this.#keyOf('more files'));
  }

  /** The directory is gone, and with it whatever was wrong with it. */
  end(): void {
    for (const [kind, { isSolved }] of this.#known)
      if (!isSolved) this.listener.onResolved(this.#keyOf(kind));
    this.#known.clear();
    for (const file of [...this.#named]) this.resolveFile(file);
    this.listener.onResolved(this.#keyOf('more files'));
  }

  #keyOf(kind: string): string {
    return `${this.directory} ${kind}`;
  }

  #turnMinute(): void {
    const now = performance.now();
    if (now - this.#countedSince < COMPLAINTS_MS) return;
    this.#countedSince = now;
    this.#complaints = 0;
    this.#isSummarized = false;
    this.listener.onResolved(this.#keyOf('more files'));
  }
}
