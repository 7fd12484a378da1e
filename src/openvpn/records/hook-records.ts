import { EventEmitter } from 'node:events';
import { join, resolve } from 'node:path';
import type { User } from '../../util/accounts.js';
import { FairWork, WorkBudget, type SlicedWork } from '../../util/fair-work.js';
import { groupNumber } from '../../util/groups.js';
import { Pace } from '../../util/pace.js';
import type { ProblemListener, ProblemMap } from '../../util/problems.js';
import { DirectoryProblems } from './directory-problems.js';
import { DirectoryWatch } from './directory-watch.js';
import { HOOKS_GROUP } from './events-directory.js';
import { findProcess, KnownProcesses } from './find-process.js';
import { processExists, type ProcessProbe } from './process.js';
import type { ValidRecord } from './record-table.js';
import { UserDirectory } from './user-directory.js';
import { UserDirectoryList } from './user-directory-list.js';

interface HookRecordsMap extends ProblemMap {
  added: [ValidRecord];
  removed: [ValidRecord];
}

/** Options of {@link HookRecords}. */
export interface HookRecordsOptions {
  /** Default: reads `/proc`. */
  readonly probe?: ProcessProbe;
  /** The users whose directories to make; default: root and nobody. */
  readonly users?: readonly User[];
  /** Milliseconds between two scans that find what inotify may have missed; default 10 s. */
  readonly rescanMs?: number;
  /** Number of the group that may write to the users' directories, besides the owners; default: that of `HOOKS_GROUP`. */
  readonly group?: number;
}

/** How long the pause between two listings may become while inotify works. */
const PAUSE_LIMIT = { factor: 4000, longestMs: 300_000 };
/** Milliseconds between two checks of the processes that have records: a killed OpenVPN runs no hook. */
const LIVENESS_MS = 1_000;
/** Milliseconds between two listings while there are too many events to watch the directory. */
const POLL_MS = 1_000;
/** Processor time for listing the directories. */
const LIMITS = { burstMs: 1_000, share: 0.1 };

/**
 * The records of the hooks in one events directory, which has one {@link UserDirectory} for each user that OpenVPN runs as.
 *
 * Nothing there is trusted. A record is valid if it is a regular file that belongs to the user of the OpenVPN process in its
 * name. Records of processes that have ended are removed. Other files are reported once and not changed.
 *
 * Whoever has the rights of one user can make any number of files and events in that user's directory. Three limits keep
 * this from the other users, and from the rest of subflowd:
 *
 * - Time. Each directory has a budget: a second of work after a pause, and then a tenth of a core. {@link FairWork} does the
 *   work of all directories in turn, in slices of a few milliseconds. Between two slices, other events are handled.
 * - Events. {@link DirectoryWatch} stops after too many inotify events in a short time. The directory is then scanned
 *   regularly until the events end. Events of other directories may be lost in the meantime, so those are scanned, too.
 * - Reports. {@link DirectoryProblems} reports a few files by name and counts the others, so nobody can fill the log.
 */
export class HookRecords extends EventEmitter<HookRecordsMap> {
  readonly directory: string;
  readonly #processes: KnownProcesses;
  /** Whether a process has not ended. @throws {Error} if this process may not read it. */
  readonly #exists: (pid: number) => boolean;
  readonly #rescanMs: number;
  readonly #group: number | undefined;
  readonly #fair = new FairWork();
  readonly #watch: DirectoryWatch;
  readonly #list: UserDirectoryList;
  readonly #listener: ProblemListener = {
    onProblem: (text, key) => this.emit('problem', text, key),
    onResolved: (key) => this.emit('resolved', key),
  };
  readonly #problems: DirectoryProblems;
  readonly #pace = new Pace();
  /** By name, as last listed. */
  readonly #directories = new Map<string, UserDirectory>();
  /** The work that makes, checks and lists the directories. */
  readonly #listing: SlicedWork;
  #timer: NodeJS.Timeout | undefined;
  #liveness: NodeJS.Timeout | undefined;
  #isRunning = false;

  constructor(directory: string, options: HookRecordsOptions = {}) {
    super();
    this.directory = resolve(directory);
    const { probe } = options;
    this.#processes = new KnownProcesses(probe ?? findProcess);
    this.#exists = probe ? (pid) => probe(pid).is !== 'gone' : processExists;
    this.#rescanMs = options.rescanMs ?? 10_000;
    this.#group = options.group ?? groupNumber(HOOKS_GROUP);
    this.#problems = new DirectoryProblems(this.directory, this.#listener);
    this.#watch = new DirectoryWatch(this.directory, {
      onEvent: (name) => {
        this.#onEvent(name);
      },
      onNoise: () => {
        this.#rescanAll();
      },
      onLost: () => {
        this.#requestListing();
      },
    });
    this.#list = new UserDirectoryList(this.#watch, this.#problems, {
      users: options.users,
      group: this.#group,
      rescanMs: this.#rescanMs,
    });
    this.#listing = {
      budget: new WorkBudget(LIMITS),
      work: () => {
        this.#checkDirectories();
        return false;
      },
    };
  }

  /** Starts watching. `added` also reports the records that exist already. Never throws: see `problem`. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#liveness = setInterval(() => {
      this.#removeEnded();
    }, LIVENESS_MS);
    this.#requestListing();
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    clearInterval(this.#liveness);
    this.#fair.cancel(this.#listing);
    this.#watch.close();
    for (const directory of this.#directories.values()) this.#close(directory);
  }

  records(): readonly ValidRecord[] {
    return [...this.#directories.values()].flatMap((directory) => [...directory.records()]);
  }

  /** Makes the directory for another user that OpenVPN runs as. */
  addUser(uid: number): void {
    if (this.#list.addUser(uid)) this.#requestListing();
  }

  /**
   * Takes the PID on this host of a process that reports another one to its hooks.
   * @param reported the one that it reports, and its records have.
   */
  addProcess(reported: number, pid: number): void {
    if (this.#processes.add(reported, pid)) this.#rescanAll();
  }

  /**
   * Removes a record of a session that has ended. If that is not allowed, ignores the record from now on.
   * @returns whether this call removed it: perhaps client-disconnect has just removed it.
   */
  discard({ path }: ValidRecord): boolean {
    for (const directory of this.#directories.values()) {
      if (path.startsWith(`${directory.path}/`)) return directory.discard(path);
    }
    return false;
  }

  #requestListing(): void {
    if (this.#isRunning) this.#fair.request(this.#listing);
  }

  /** Scans every directory: events of any of them may be lost. */
  #rescanAll(): void {
    this.#requestListing();
    for (const directory of this.#directories.values()) directory.rescan();
  }

  #onEvent(name: string | undefined): void {
    const directory = name === undefined ? undefined : this.#directories.get(name);
    // An event of a user's directory costs time of that user's budget, because the user can change its mode all the time.
    if (directory !== undefined) directory.check();
    else this.#requestListing();
  }

  /** Lists the directories, making those that are missing. Has each one check itself soon, and plans the next listing. */
  #checkDirectories(): void {
    clearTimeout(this.#timer);
    const start = performance.now();
    const names = this.#list.list() ?? [...this.#directories.keys()];
    for (const [name, directory] of this.#directories) {
      if (names.includes(name)) continue;
      this.#directories.delete(name);
      this.#close(directory);
      directory.end();
    }
    for (const name of names) {
      if (!this.#directories.has(name))
        this.#directories.set(name, this.#createUserDirectory(join(this.directory, name)));
      this.#directories.get(name)?.check();
    }
    this.#pace.addDuration(performance.now() - start);
    const isPolled = !this.#watch.isWatching;
    const noisyMs = this.#watch.isNoisy ? POLL_MS : this.#rescanMs;
    const wait = isPolled ? noisyMs : this.#pace.pauseMs({ ...PAUSE_LIMIT, leastMs: this.#rescanMs });
    this.#timer = setTimeout(() => {
      this.#requestListing();
    }, wait);
  }

  /** Creates the object for a directory that exists. */
  #createUserDirectory(path: string): UserDirectory {
    const directory = new UserDirectory(
      path,
      { probe: (pid) => this.#processes.find(pid), rescanMs: this.#rescanMs, group: this.#group },
      {
        onAdded: (record) => this.emit('added', record),
        onRemoved: (record) => this.emit('removed', record),
        ...this.#listener,
        onGone: () => {
          this.#requestListing();
        },
        onNoise: () => {
          this.#rescanAll();
        },
        onWork: () => {
          if (this.#isRunning) this.#fair.request(directory);
        },
      },
    );
    return directory;
  }

  #close(directory: UserDirectory): void {
    this.#fair.cancel(directory);
    directory.close();
  }

  #removeEnded(): void {
    for (const directory of this.#directories.values()) {
      for (const pid of directory.pids()) if (!this.#isAlive(pid)) directory.dropProcess(pid);
    }
  }

  #isAlive(pid: number): boolean {
    try {
      return this.#exists(pid);
    } catch {
      // not allowed: the next scan reports it
      return true;
    }
  }
}
