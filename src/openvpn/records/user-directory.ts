import { basename, join } from 'node:path';
import { WorkBudget, type SlicedWork } from '../../util/fair-work.js';
import { INTERVAL_MS, MAX_EVENTS } from '../../util/watch-throttle.js';
import { Pace } from '../../util/pace.js';
import type { ProblemListener } from '../../util/problems.js';
import { DirectoryWatch, describeUnwatched } from './directory-watch.js';
import { whyDenied } from '../../util/denied.js';
import { hasCode, reasonOf } from '../../util/errno.js';
import { scanDirectory } from './directory-scan.js';
import { checkUserDirectory, remedyForRights } from './events-directory.js';
import { DirectoryProblems } from './directory-problems.js';
import type { ProcessFacts, ProcessProbe } from './process.js';
import { MAX_ENTRIES, RecordFiles, type RecordListener } from './record-files.js';
import type { ValidRecord } from './record-table.js';
import { parseRecordName } from './record.js';

/** Receives what {@link UserDirectory} finds. */
export interface UserDirectoryListener extends RecordListener, ProblemListener {
  /** The directory does not exist any more. */
  readonly onGone: () => void;
  /** Too many inotify events of this directory arrived, so events of other directories may be lost. */
  readonly onNoise: () => void;
  /** {@link UserDirectory.work} has something to do. */
  readonly onWork: () => void;
}

/** Options of {@link UserDirectory}. */
export interface UserDirectoryOptions {
  readonly probe: ProcessProbe;
  /** Milliseconds between two scans that find what inotify may have missed. */
  readonly rescanMs: number;
  /** Number of the group that may write there, besides the owner; see `HOOKS_GROUP`. */
  readonly group: number | undefined;
}

/** How long the pause between two scans may become while inotify works. */
const PAUSE_LIMIT = { factor: 4000, longestMs: 300_000 };
/** Milliseconds between two scans of a directory with too many events to watch it. */
const POLL_MS = 250;
/**
 * Processor time for one directory: a second after a pause, which is enough for ten thousand new records, and then a tenth
 * of a core.
 */
export const LIMITS = { burstMs: 1_000, share: 0.1 };

/**
 * The records of the hooks of one user, kept current by inotify. hook-records.ts explains the limits on the work for one
 * directory.
 */
export class UserDirectory implements SlicedWork {
  readonly budget = new WorkBudget(LIMITS);
  readonly #watch: DirectoryWatch;
  readonly #problems: DirectoryProblems;
  readonly #files: RecordFiles;
  /** Files with an inotify event that are not examined yet. */
  readonly #pending = new Set<string>();
  readonly #pace = new Pace();
  #isCheckWanted = true;
  #isScanWanted = true;
  /** Whether the last check found that nobody else can write to the directory. */
  #isSafe = false;
  /** The scan that is not finished, and how long it has taken so far, milliseconds. */
  #scan: Generator<undefined, void> | undefined;
  #scanMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly path: string,
    private readonly options: UserDirectoryOptions,
    private readonly listener: UserDirectoryListener,
  ) {
    this.#problems = new DirectoryProblems(path, listener);
    this.#files = new RecordFiles(path, options.probe, this.#problems, listener);
    this.#watch = new DirectoryWatch(path, {
      onEvent: (name) => {
        this.#onEvent(name);
      },
      onNoise: () => {
        this.#problems.report(
          'noise',
          `${path} changes more than ${MAX_EVENTS} times in ${INTERVAL_MS} ms: until this ends, it is read every ` +
            `${POLL_MS} ms; to fix it: find out which program of the directory's owner causes the changes`,
        );
        this.rescan();
        listener.onNoise();
      },
      onLost: () => {
        this.rescan();
      },
    });
  }

  records(): IterableIterator<ValidRecord> {
    return this.#files.records();
  }

  /** Processes that have a record here. */
  pids(): number[] {
    return this.#files.pids();
  }

  /** Checks soon whether it is still the same directory, and whether it is safe. */
  check(): void {
    this.#isCheckWanted = true;
    this.listener.onWork();
  }

  /** Examines every file soon. */
  rescan(): void {
    this.#isScanWanted = true;
    this.check();
  }

  /** Stops watching. The records stay known. */
  close(): void {
    clearTimeout(this.#timer);
    this.#endScan();
    this.#pending.clear();
    this.#watch.close();
  }

  /** Forgets every record, without removing its file, and resolves the problems of the directory. */
  end(): void {
    this.#files.forgetAll();
    this.#problems.end();
  }

  /** Removes a record. @returns whether this call removed it. */
  discard(path: string): boolean {
    return this.#files.discard(path);
  }

  /** Removes the records of a process that has ended. */
  dropProcess(pid: number): void {
    this.#files.dropProcess(pid);
  }

  /** See {@link SlicedWork.work}. */
  work(deadline: number): boolean {
    if (this.#isCheckWanted) this.#check();
    if (!this.#isSafe) return false;
    const facts = new Map<number, ProcessFacts>();
    for (const path of this.#pending) {
      this.#pending.delete(path);
      this.#files.examine(path, facts);
      if (performance.now() > deadline) return true;
    }
    return this.#continueScan(deadline);
  }

  #onEvent(name: string | undefined): void {
    // inotify reports an event of the directory itself under its own name, but a file can have that name, too
    if (name === undefined || name === basename(this.path)) {
      this.check();
      return;
    }
    if (parseRecordName(name) === undefined) return;
    if (this.#pending.size >= MAX_ENTRIES) {
      this.#pending.clear();
      this.rescan();
      return;
    }
    this.#pending.add(join(this.path, name));
    this.listener.onWork();
  }

  #check(): void {
    this.#isCheckWanted = false;
    try {
      checkUserDirectory(this.path, this.options.group);
    } catch (error) {
      const isGone = hasCode(error, 'ENOENT');
      if (!isGone) this.#problems.report('unsafe', `cannot read what the hooks record: ${reasonOf(error)}`);
      this.close();
      this.#isSafe = false;
      this.#isScanWanted = true;
      this.#files.forgetAll();
      if (isGone) this.listener.onGone();
      else this.#checkLater(this.options.rescanMs);
      return;
    }
    this.#problems.resolve('unsafe');
    this.#isSafe = true;
    const remedy = remedyForRights(this.path);
    if (remedy === undefined) this.#problems.resolve('tidy');
    else
      this.#problems.report(
        'tidy',
        `stale records in ${this.path} are ignored, but cannot be removed; to fix it: ${remedy}`,
      );
    this.#watchDirectory();
  }

  #watchDirectory(): void {
    try {
      if (!this.#watch.update()) return;
      // the scan so far may be of another directory, or older than the watch
      this.#endScan();
      this.#isScanWanted = true;
      this.#problems.resolve('watch');
    } catch (error) {
      // the directory was removed after the check
      if (hasCode(error, 'ENOENT')) return;
      this.#problems.report(
        'watch',
        describeUnwatched(this.path, this.options.rescanMs, error, remedyForRights(this.path)),
      );
    }
  }

  #checkLater(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.rescan();
    }, ms);
  }

  /** @returns whether the scan has more to do. */
  #continueScan(deadline: number): boolean {
    const start = performance.now();
    if (this.#scan === undefined) {
      if (!this.#isScanWanted) return false;
      this.#isScanWanted = false;
      this.#scanMs = 0;
      this.#scan = scanDirectory(this.path, this.#files, this.#problems);
    }
    let isDone = false;
    try {
      while (!isDone && performance.now() <= deadline) isDone = this.#scan.next().done === true;
      this.#problems.resolve('read');
    } catch (error) {
      isDone = true;
      if (hasCode(error, 'ENOENT')) this.check();
      else {
        const reason = whyDenied(error, 'read', this.path, remedyForRights(this.path));
        this.#problems.report('read', `cannot read ${this.path}: ${reason}`);
      }
    }
    this.#scanMs += performance.now() - start;
    if (!isDone) return true;
    this.#scan = undefined;
    this.#planNextScan();
    return this.#isScanWanted;
  }

  #planNextScan(): void {
    this.#pace.addDuration(this.#scanMs);
    const { rescanMs } = this.options;
    if (this.#watch.isNoisy) {
      this.#checkLater(POLL_MS);
      return;
    }
    this.#problems.resolve('noise');
    if (!this.#watch.isWatching) {
      this.#checkLater(rescanMs);
      return;
    }
    // there is no event when a hook does not finish a record
    this.#checkLater(
      this.#files.hasUnfinished ? rescanMs : this.#pace.pauseMs({ ...PAUSE_LIMIT, leastMs: rescanMs }),
    );
  }

  #endScan(): void {
    this.#scan?.return();
    this.#scan = undefined;
  }
}
