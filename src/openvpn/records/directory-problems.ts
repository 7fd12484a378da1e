import type { ProblemListener } from '../../util/problems.js';

/** Largest number of files that are reported by name within a minute. Of the others, only the number is reported. */
export const MAX_PER_MINUTE = 10;
const MINUTE_MS = 60_000;
/** Largest number of files whose reports are open until they are removed. Small, so `status` has room for other problems. */
export const MAX_NAMED_FILES = 5;
/** Shortest pause between two reports of one kind, milliseconds, because somebody can change a state back and forth. */
export const MIN_PAUSE_MS = 10_000;

interface Report {
  readonly text: string;
  /** `performance.now()`. */
  readonly reportedAt: number;
  readonly isResolved: boolean;
}

/** The problems of one directory. Limits the reports, because otherwise whoever can write there could fill the log. */
export class DirectoryProblems {
  /** By kind. A resolved one stays until {@link MIN_PAUSE_MS} are over. */
  readonly #reports = new Map<string, Report>();
  /** Files whose reports are open, in the order of the reports. */
  readonly #named = new Set<string>();
  /** Files that were reported or counted in this minute. */
  #count = 0;
  /** `performance.now()`. */
  #minuteStart = -Infinity;
  #isRestReported = false;
  /** Files that were only counted, and are not reported yet. */
  #rest: { readonly count: number; readonly example: string } | undefined;

  constructor(
    private readonly directory: string,
    private readonly listener: ProblemListener,
  ) {}

  /** Reports a problem of one kind, unless it is open with the same text, or the last report of this kind is too recent. */
  report(kind: string, text: string): void {
    const last = this.#reports.get(kind);
    const now = performance.now();
    if (last !== undefined) {
      if (!last.isResolved && last.text === text) return;
      if (now - last.reportedAt < MIN_PAUSE_MS) return;
    }
    this.#reports.set(kind, { text, reportedAt: now, isResolved: false });
    this.listener.onProblem(text, this.#keyOf(kind));
  }

  /** Resolves the problem of one kind. */
  resolve(kind: string): void {
    const last = this.#reports.get(kind);
    if (last === undefined || last.isResolved) return;
    if (performance.now() - last.reportedAt < MIN_PAUSE_MS)
      this.#reports.set(kind, { ...last, isResolved: true });
    else this.#reports.delete(kind);
    this.listener.onResolved(this.#keyOf(kind));
  }

  /** Reports what is wrong with one file, or only counts it. */
  reportFile(file: string, reason: string, remedy: string): void {
    this.#turnMinute();
    const text = `${JSON.stringify(file)} ${reason}`;
    if (this.#count++ >= MAX_PER_MINUTE) {
      this.#rest = { count: (this.#rest?.count ?? 0) + 1, example: text };
      return;
    }
    const [first] = this.#named;
    if (this.#named.size >= MAX_NAMED_FILES && first !== undefined) this.resolveFile(first);
    this.#named.add(file);
    this.listener.onProblem(`${text}; to fix it: ${remedy}`, this.#keyOf(`file ${file}`));
  }

  /** The file is removed or has changed. */
  resolveFile(file: string): void {
    if (this.#named.delete(file)) this.listener.onResolved(this.#keyOf(`file ${file}`));
  }

  /** Reports the number of files that were only counted so far, at most once a minute. */
  reportRest(): void {
    this.#turnMinute();
    if (this.#rest === undefined || this.#isRestReported) return;
    const { count, example } = this.#rest;
    this.#rest = undefined;
    this.#isRestReported = true;
    const text = `${count} more files in ${this.directory} are not records of sessions; the last: ${example}`;
    this.listener.onProblem(text, this.#keyOf('more files'));
  }

  /** Resolves all problems: the directory does not exist any more. */
  end(): void {
    for (const [kind, { isResolved }] of this.#reports)
      if (!isResolved) this.listener.onResolved(this.#keyOf(kind));
    this.#reports.clear();
    for (const file of [...this.#named]) this.resolveFile(file);
    this.listener.onResolved(this.#keyOf('more files'));
  }

  #keyOf(kind: string): string {
    return `${this.directory} ${kind}`;
  }

  #turnMinute(): void {
    const now = performance.now();
    if (now - this.#minuteStart < MINUTE_MS) return;
    this.#minuteStart = now;
    this.#count = 0;
    this.#isRestReported = false;
    this.listener.onResolved(this.#keyOf('more files'));
  }
}
