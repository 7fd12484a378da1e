import { lstatSync, opendirSync, unlinkSync, type Stats } from 'node:fs';
import { basename, join } from 'node:path';
import { formatEndpoint } from '../endpoint.js';
import { WorkBudget, type SlicedWork } from '../fair-work.js';
import { Pace } from '../pace.js';
import { DirectoryWatch, INTERVAL_MS, MOST_EVENTS, unwatched } from './directory-watch.js';
import { hasCode, reasonOf } from './errno.js';
import { checkUserDirectory, howToTidy } from './events-directory.js';
import { Problems } from './problems.js';
import type { ProcessFacts, ProcessProbe } from './process.js';
import { readBounded, signatureOf } from './record-file.js';
import { RecordTable, type KnownRecord } from './record-table.js';
import { parseRecord, parseRecordName, type RecordName } from './record.js';

export interface UserDirectoryListener {
  readonly onAdded: (known: KnownRecord) => void;
  readonly onRemoved: (known: KnownRecord) => void;
  readonly onProblem: (text: string) => void;
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

/** Files that are looked at; a server has at most as many clients as file descriptors. */
const MAX_ENTRIES = 16_384;
/** Names read from a directory at once. */
const BATCH = 64;
/** How seldom everything is looked at. */
const SPARING = { times: 4000, longest: 300_000 };
/** How often a directory is read that is too noisy to be watched, milliseconds. */
const POLL_MS = 250;
/** A hook writes a record in one go; one that has no end after this many milliseconds gets none. */
const UNFINISHED_MS = 2_000;
/** What one directory may cost: a second after a rest, as for ten thousand records at once, and then a tenth of a core. */
const LIMITS = { burstMs: 1_000, share: 0.1 };

interface Rejected {
  readonly signature: string;
  readonly since: number;
  /** Undefined while the record may still be finished. */
  readonly reason?: string;
}

/**
 * What the hooks of one user recorded, kept up to date through inotify. Everything that is in there may have been made
 * by whoever has that user's rights, in any number and at any rate: so all work is done in slices of a bounded share of
 * the time, and a name that no hook gives costs no system call. Other directories do not notice.
 */
export class UserDirectory implements SlicedWork {
  readonly budget = new WorkBudget(LIMITS);
  readonly #watch: DirectoryWatch;
  readonly #problems: Problems;
  readonly #records = new RecordTable();
  readonly #rejected = new Map<string, Rejected>();
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
    this.#problems = new Problems(path, listener.onProblem);
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

  records(): IterableIterator<KnownRecord> {
    return this.#records.values();
  }

  /** Processes that have a record here. */
  pids(): number[] {
    return this.#records.pids();
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

  /** Forgets every record, without removing its file. */
  forgetAll(): void {
    this.#rejected.clear();
    for (const path of this.#records.paths()) this.#forget(path);
  }

  /** Removes a record. @returns whether it was there, and no longer is. */
  discard(path: string): boolean {
    const known = this.#records.get(path);
    return known !== undefined && this.#remove(path, known.signature);
  }

  /** Removes the records of a process that is gone. */
  dropProcess(pid: number): void {
    for (const known of [...this.#records.values()]) if (known.record.pid === pid) this.discard(known.path);
  }

  /** See {@link SlicedWork.work}. */
  work(deadline: number): boolean {
    if (this.#isCheckWanted) this.#check();
    if (!this.#isSafe) return false;
    const facts = new Map<number, ProcessFacts>();
    for (const path of this.#pending) {
      this.#pending.delete(path);
      this.#examine(path, facts);
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
      this.forgetAll();
      if (isGone) this.listener.onGone();
      else this.#checkLater(this.options.rescanMs);
      return;
    }
    this.#problems.solved('unsafe');
    this.#isSafe = true;
    const remedy = howToTidy(this.path);
    if (remedy === undefined) this.#problems.solved('tidy');
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
      this.#problems.solved('watch');
    } catch (error) {
      // gone since it was checked
      if (hasCode(error, 'ENOENT')) return;
      this.#problems.report('watch', unwatched(this.path, this.options.rescanMs, error));
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
      this.#problems.solved('read');
    } catch (error) {
      isDone = true;
      if (hasCode(error, 'ENOENT')) this.check();
      else this.#problems.report('read', `cannot read ${this.path}: ${reasonOf(error)}`);
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
    if (!this.#watch.isWatching) {
      this.#checkLater(rescanMs);
      return;
    }
    // what may still be finished gets no event if it is not
    const isHalf = [...this.#rejected.values()].some(({ reason }) => reason === undefined);
    this.#checkLater(isHalf ? rescanMs : this.#pace.pause({ ...SPARING, least: rescanMs }));
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
    // Not through libuv's threads: a batch of names takes less time to read than one takes to wake, and it would be an
    // awakening for every 32.
    const directory = opendirSync(this.path, { bufferSize: BATCH });
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        if (seen.size >= MAX_ENTRIES) {
          this.#problems.report(
            'entries',
            `${this.path} holds more than ${MAX_ENTRIES} files: the rest is not read; empty it`,
          );
          break;
        }
        const file = join(this.path, entry.name);
        seen.add(file);
        // what no hook made costs no system call
        if (this.#nameOf(file) === undefined) this.#rejectName(file);
        else this.#examine(file, fresh());
        yield;
      }
    } finally {
      directory.closeSync();
    }
    for (const path of [...this.#records.paths(), ...this.#rejected.keys()]) {
      if (seen.has(path)) continue;
      this.#examine(path, fresh());
      yield;
    }
    this.#problems.summarize();
  }

  /** What its name says, which a known record's content was found to say too; undefined if no hook gives such a name. */
  #nameOf(path: string): RecordName | undefined {
    return this.#records.get(path)?.record ?? parseRecordName(basename(path));
  }

  /** Brings what is known of one file up to date. Never throws. */
  #examine(path: string, facts: Map<number, ProcessFacts>): void {
    try {
      const stats = lstatSync(path);
      const name = this.#nameOf(path);
      if (name === undefined) {
        this.#rejectName(path);
        return;
      }
      const reason = this.#judge(path, name, stats, facts);
      if (reason !== undefined) this.#reject(path, signatureOf(stats), reason);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) this.#forget(path);
      else this.#reject(path, 'unreadable', reasonOf(error));
    }
  }

  /** @returns why the file is no record. */
  #judge(path: string, name: RecordName, stats: Stats, facts: Map<number, ProcessFacts>): string | undefined {
    if (!stats.isFile()) return 'it is not a plain file';

    const found = facts.get(name.pid) ?? this.options.probe(name.pid);
    facts.set(name.pid, found);
    const signature = signatureOf(stats);
    if (found.is === 'gone') {
      this.#remove(path, signature);
      return undefined;
    }
    if (found.is === 'other') return `process ${name.pid} is ${found.exe}, not OpenVPN`;
    if (stats.uid !== 0 && stats.uid !== found.euid) {
      return `it belongs to user ${stats.uid}, but process ${name.pid} runs as user ${found.euid}`;
    }
    if (this.#records.get(path)?.signature === signature) return undefined;
    const known = this.#rejected.get(path);
    if (known?.signature === signature) {
      if (known.reason === STALE) {
        this.#remove(path, signature);
        return undefined;
      }
      const late = known.reason === undefined && performance.now() - known.since > UNFINISHED_MS;
      return late ? 'it is half a record (is the disk full?)' : known.reason;
    }
    return this.#read(path, name, signature);
  }

  #read(path: string, name: RecordName, signature: string): string | undefined {
    const parsed = parseRecord(readBounded(path));
    if ('garbage' in parsed) return parsed.garbage;
    if ('unfinished' in parsed) {
      this.#rejected.set(path, { signature, since: performance.now() });
      return undefined;
    }
    const { record } = parsed;
    if (name.pid !== record.pid || formatEndpoint(name.real) !== formatEndpoint(record.real)) {
      return `it says process ${record.pid} and ${formatEndpoint(record.real)}, unlike its name`;
    }
    this.#forget(path);
    const known = { path, record, seenAt: performance.now(), signature };
    this.#records.add(known);
    this.listener.onAdded(known);
    return undefined;
  }

  /**
   * Removes a stale record; one that cannot be removed is ignored until it is written anew.
   * @returns whether it was there, and no longer is.
   */
  #remove(path: string, signature: string): boolean {
    let outcome: 'removed' | 'missing' | 'kept' = 'removed';
    try {
      unlinkSync(path);
    } catch (error) {
      outcome = hasCode(error, 'ENOENT') ? 'missing' : 'kept';
      if (outcome === 'kept' && !hasCode(error, 'EACCES', 'EPERM'))
        this.#problems.report('tidy', `stale records in ${this.path} cannot be removed: ${reasonOf(error)}`);
    }
    this.#forget(path);
    if (outcome === 'kept') this.#rejected.set(path, { signature, reason: STALE, since: performance.now() });
    return outcome === 'removed';
  }

  #forget(path: string): void {
    this.#rejected.delete(path);
    const known = this.#records.delete(path);
    if (known !== undefined) this.listener.onRemoved(known);
  }

  #rejectName(path: string): void {
    this.#reject(path, 'name', 'it has no name that a hook gives');
  }

  #reject(path: string, signature: string, reason: string): void {
    const before = this.#rejected.get(path);
    if (before?.signature === signature && before.reason === reason) return;
    this.#forget(path);
    if (this.#rejected.size < MAX_ENTRIES) {
      this.#rejected.set(path, { signature, reason, since: before?.since ?? performance.now() });
    }
    this.#problems.complain(
      `${JSON.stringify(path)} is no record of a session: ${reason}`,
      'if no hook wrote it, remove it',
    );
  }
}

/** Why a file is ignored that should be removed, and cannot be. */
const STALE = 'it is stale, and cannot be removed';
