import { opendirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { WorkBudget, type SlicedWork } from '../../util/fair-work.js';
import { INTERVAL_MS, MOST_EVENTS } from '../../util/noise-gate.js';
import { Pace } from '../../util/pace.js';
import type { ProblemListener } from '../../util/problems.js';
import { DirectoryWatch, describeUnwatched } from './directory-watch.js';
import { whyDenied } from '../../util/denied.js';
import { hasCode, reasonOf } from '../../util/errno.js';
import { checkUserDirectory, remedyForStaleRecords } from './events-directory.js';
import { DirectoryProblems } from './directory-problems.js';
import type { ProcessFacts, ProcessProbe } from '../process.js';
import { MAX_ENTRIES, RecordFiles, type RecordListener } from './record-files.js';
import type { ValidRecord } from './record-table.js';
import { parseRecordName } from './record.js';

export interface UserDirectoryListener extends RecordListener, ProblemListener {
  /** The directory is no longer there. */
  readonly onGone: () => void;
  /** So much happened there that events of other directories may have been lost. */
  readonly onNoise: () => void;
  /** There is something to do: {@link UserDirectory.work}. */
  readonly onWork: () => void;
}

export interface UserDirectoryOptions {
  readonly probe: ProcessProbe;
  /** The safety net under inotify, in milliseconds. */
  readonly rescanMs: number;
  /** The group that may write there beside the owner; see `HOOKS_GROUP`. */
  readonly group: number | undefined;
}

/** Names read from a directory at once. */
const BATCH = 64;
/** How seldom everything is looked at. */
const SPARING = { times: 4000, longest: 300_000 };
/** How often a directory is read that is too noisy to be watched, milliseconds. */
const POLL_MS = 250;
/** What one directory may cost: a second after a rest, as for ten thousand records at once, and then a tenth of a core. */
export const LIMITS = { burstMs: 1_000, share: 0.1 };

/**
 * What the hooks of one user recorded, kept up to date through inotify. Everything that is in there may have been made
 * by whoever has that user's rights, in any number and at any rate: so all work is done in slices of a bounded share of
 * the time, and a name that no hook gives costs no system call. Other directories do not notice.
 */
export class UserDirectory implements SlicedWork {
  readonly budget = new WorkBudget(LIMITS);
  readonly #watch: DirectoryWatch;
  readonly #problems: DirectoryProblems;
  readonly #files: RecordFiles;
  readonly #pending = new Set<string>();
  readonly #pace = new Pace();
  #isCheckWanted = true;
  #isScanWanted = true;
  #isSafe = false;
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
        this.#hear(name);
      },
      onNoise: () => {
        this.#problems.report(
          'noise',
          `${path} changes more than ${MOST_EVENTS} times in ${INTERVAL_MS} ms: it is read every ${POLL_MS} ms only ` +
            'until it is quiet; its owner does that: look at what runs as that user',
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

  /** Looks soon whether it is still the same directory, and safe. */
  check(): void {
    this.#isCheckWanted = true;
    this.listener.onWork();
  }

  /** Looks at everything soon. */
  rescan(): void {
    this.#isScanWanted = true;
    this.check();
  }

  /** Stops watching; what is known stays known. */
  close(): void {
    clearTimeout(this.#timer);
    this.#endScan();
    this.#pending.clear();
    this.#watch.close();
  }

  /** It is followed no longer: forgets every record, without removing its file, and what was wrong with it. */
  end(): void {
    this.#files.forgetAll();
    this.#problems.end();
  }

  /** Removes a record. @returns whether it was there, and no longer is. */
  discard(path: string): boolean {
    return this.#files.discard(path);
  }

  /** Removes the records of a process that is gone. */
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

  #hear(name: string | undefined): void {
    // its own name stands for the directory itself, but is also what an entry may be called
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
      if (!isGone) this.#problems.report('unsafe', `hooks cannot be heard: ${reasonOf(error)}`);
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
    const remedy = remedyForStaleRecords(this.path);
    if (remedy === undefined) this.#problems.resolve('tidy');
    else
      this.#problems.report(
        'tidy',
        `stale records in ${this.path} are ignored, but cannot be removed; mend it with: ${remedy}`,
      );
    this.#follow();
  }

  #follow(): void {
    try {
      if (!this.#watch.follow()) return;
      // what was read so far may be of another directory, or older than the watch
      this.#endScan();
      this.#isScanWanted = true;
      this.#problems.resolve('watch');
    } catch (error) {
      // gone since it was checked
      if (hasCode(error, 'ENOENT')) return;
      this.#problems.report('watch', describeUnwatched(this.path, this.options.rescanMs, error));
    }
  }

  #checkLater(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.rescan();
    }, ms);
  }

  /** @returns whether something is left of it. */
  #continueScan(deadline: number): boolean {
    const start = performance.now();
    if (this.#scan === undefined) {
      if (!this.#isScanWanted) return false;
      this.#isScanWanted = false;
      this.#scanMs = 0;
      this.#scan = this.#scanAll();
    }
    let isDone = false;
    try {
      while (!isDone && performance.now() <= deadline) isDone = this.#scan.next().done === true;
      this.#problems.resolve('read');
    } catch (error) {
      isDone = true;
      if (hasCode(error, 'ENOENT')) this.check();
      else this.#problems.report('read', `cannot read ${this.path}: ${whyDenied(error, 'read', this.path)}`);
    }
    this.#scanMs += performance.now() - start;
    if (!isDone) return true;
    this.#scan = undefined;
    this.#planNextScan();
    return this.#isScanWanted;
  }

  #planNextScan(): void {
    this.#pace.took(this.#scanMs);
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
    // what may still be finished gets no event if it is not
    this.#checkLater(
      this.#files.hasUnfinished ? rescanMs : this.#pace.pause({ ...SPARING, least: rescanMs }),
    );
  }

  #endScan(): void {
    this.#scan?.return();
    this.#scan = undefined;
  }

  /** Looks at every file; yields after each. */
  *#scanAll(): Generator<undefined, void> {
    // of one slice only: a process may end meanwhile
    let facts = new Map<number, ProcessFacts>();
    let factsAt = performance.now();
    const fresh = () => {
      const now = performance.now();
      if (now - factsAt > 100) [facts, factsAt] = [new Map<number, ProcessFacts>(), now];
      return facts;
    };
    const seen = new Set<string>();
    let hasMore = false;
    // Not through libuv's threads: a batch of names takes less time to read than one takes to wake, and it would be an
    // awakening for every 32.
    const directory = opendirSync(this.path, { bufferSize: BATCH });
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        if (seen.size >= MAX_ENTRIES) {
          hasMore = true;
          this.#problems.report(
            'entries',
            `${this.path} holds more than ${MAX_ENTRIES} files: the rest is not read; empty it`,
          );
          break;
        }
        const file = join(this.path, entry.name);
        seen.add(file);
        // what no hook made costs no system call
        if (this.#files.nameOf(file) === undefined) this.#files.rejectName(file);
        else this.#files.examine(file, fresh());
        yield;
      }
    } finally {
      directory.closeSync();
    }
    for (const path of this.#files.paths()) {
      if (seen.has(path)) continue;
      this.#files.examine(path, fresh());
      yield;
    }
    if (!hasMore) this.#problems.resolve('entries');
    this.#problems.reportRest();
  }
}
