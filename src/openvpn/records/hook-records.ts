import { EventEmitter } from 'node:events';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FairWork, WorkBudget, type SlicedWork } from '../../util/fair-work.js';
import { groupNumber } from '../../util/groups.js';
import { Pace } from '../../util/pace.js';
import type { ProblemListener, ProblemMap } from '../../util/problems.js';
import { DirectoryProblems } from './directory-problems.js';
import { DirectoryWatch, describeUnwatched } from './directory-watch.js';
import { reasonOf } from '../../util/errno.js';
import { whyDenied } from '../../util/denied.js';
import {
  checkEventsDirectory,
  defaultHookUsers,
  ensureEventsDirectory,
  HOOKS_GROUP,
  UnsafeDirectoryError,
} from './events-directory.js';
import { userOrNumber, type User } from '../../util/accounts.js';
import { processExists, probeProcess, type ProcessProbe } from '../process.js';
import type { ValidRecord } from './record-table.js';
import { UserDirectory } from './user-directory.js';

interface HookRecordsMap extends ProblemMap {
  added: [ValidRecord];
  removed: [ValidRecord];
}

export interface HookRecordsOptions {
  readonly probe?: ProcessProbe;
  /** Whose directories are made; default: root and nobody. */
  readonly users?: readonly User[];
  /** The safety net under inotify, in milliseconds. */
  readonly rescanMs?: number;
  /** The number of the group that may write to the users' directories beside their owners; default: of `HOOKS_GROUP`. */
  readonly group?: number;
}

/** Directories of users that are read. */
export const MAX_USERS = 64;
/** How seldom the list of directories is looked at without news. */
const SPARING = { times: 4000, longest: 300_000 };
/** How often the processes that have records are looked at: one that is killed runs no hook. */
const LIVENESS_MS = 1_000;
/** How often the list is read while too much happens to it to be watched, milliseconds. */
const POLL_MS = 1_000;
/** What the list of directories may cost. */
const LIMITS = { burstMs: 1_000, share: 0.1 };

/**
 * What the hooks recorded in one events directory. Nothing in there is trusted: a record counts if it is a plain file
 * that belongs to the user of the OpenVPN process that it names. Records of processes that are gone are removed; other
 * files are complained about once and left alone. Each user's directory is looked after by itself: see
 * {@link UserDirectory}.
 */
export class HookRecords extends EventEmitter<HookRecordsMap> {
  readonly directory: string;
  readonly #probe: ProcessProbe;
  /** Whether a process is not gone. */
  readonly #exists: (pid: number) => boolean;
  readonly #rescanMs: number;
  readonly #group: number | undefined;
  readonly #users: Map<string, User>;
  readonly #fair = new FairWork();
  readonly #watch: DirectoryWatch;
  readonly #listener: ProblemListener = {
    onProblem: (text, key) => this.emit('problem', text, key),
    onResolved: (key) => this.emit('resolved', key),
  };
  readonly #problems: DirectoryProblems;
  readonly #pace = new Pace();
  /** By name, as listed last. */
  readonly #directories = new Map<string, UserDirectory>();
  /** Making, checking and listing the directories. */
  readonly #listing: SlicedWork;
  #timer: NodeJS.Timeout | undefined;
  #liveness: NodeJS.Timeout | undefined;
  #running = false;

  constructor(directory: string, options: HookRecordsOptions = {}) {
    super();
    this.directory = resolve(directory);
    const { probe } = options;
    this.#probe = probe ?? probeProcess;
    this.#exists = probe ? (pid) => probe(pid).is !== 'gone' : processExists;
    this.#rescanMs = options.rescanMs ?? 10_000;
    this.#group = options.group ?? groupNumber(HOOKS_GROUP);
    this.#users = new Map((options.users ?? defaultHookUsers()).map((user) => [user.name, user]));
    this.#problems = new DirectoryProblems(this.directory, this.#listener);
    this.#watch = new DirectoryWatch(this.directory, {
      onEvent: (name) => {
        this.#hear(name);
      },
      onNoise: () => {
        this.#rescanAll();
      },
      onLost: () => {
        this.#requestList();
      },
    });
    this.#listing = {
      budget: new WorkBudget(LIMITS),
      work: () => {
        this.#list();
        return false;
      },
    };
  }

  /** Begins to watch; what is there already is announced soon after. Never throws: see `problem`. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#liveness = setInterval(() => {
      this.#dropDead();
    }, LIVENESS_MS);
    this.#requestList();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    clearInterval(this.#liveness);
    this.#fair.cancel(this.#listing);
    this.#watch.close();
    for (const directory of this.#directories.values()) this.#close(directory);
  }

  records(): readonly ValidRecord[] {
    return [...this.#directories.values()].flatMap((directory) => [...directory.records()]);
  }

  /** Makes the directory for a user that OpenVPN turned out to run as. */
  addUser(uid: number): void {
    const user = userOrNumber(uid);
    if (this.#users.has(user.name)) return;
    this.#users.set(user.name, user);
    this.#requestList();
  }

  /**
   * Removes a record whose server says that there is no such session; where it may not be removed, it is ignored.
   * @returns whether it was there, and no longer is: client-disconnect may have removed it a moment ago.
   */
  discard({ path }: ValidRecord): boolean {
    for (const directory of this.#directories.values()) {
      if (path.startsWith(`${directory.path}/`)) return directory.discard(path);
    }
    return false;
  }

  #requestList(): void {
    if (this.#running) this.#fair.request(this.#listing);
  }

  /** Events of any directory may have been lost. */
  #rescanAll(): void {
    this.#requestList();
    for (const directory of this.#directories.values()) directory.rescan();
  }

  #hear(name: string | undefined): void {
    const directory = name === undefined ? undefined : this.#directories.get(name);
    // Of a user's directory that is there already: that user can change its mode all the time. It is looked at in the time
    // that this user has.
    if (directory !== undefined) directory.check();
    else this.#requestList();
  }

  /** Makes, checks and lists the directories; the only place where they are set up. */
  #list(): void {
    clearTimeout(this.#timer);
    const start = performance.now();
    const names = this.#prepare() ?? [...this.#directories.keys()];
    for (const [name, directory] of this.#directories) {
      if (names.includes(name)) continue;
      this.#directories.delete(name);
      this.#close(directory);
      directory.end();
    }
    for (const name of names) {
      if (!this.#directories.has(name)) this.#directories.set(name, this.#follow(join(this.directory, name)));
      this.#directories.get(name)?.check();
    }
    this.#pace.took(performance.now() - start);
    const isPolled = !this.#watch.isWatching;
    const noisyMs = this.#watch.isNoisy ? POLL_MS : this.#rescanMs;
    const wait = isPolled ? noisyMs : this.#pace.pause({ ...SPARING, least: this.#rescanMs });
    this.#timer = setTimeout(() => {
      this.#requestList();
    }, wait);
  }

  /** @returns the names of the users' directories; undefined if they cannot be listed, which says nothing of them. */
  #prepare(): string[] | undefined {
    try {
      ensureEventsDirectory(this.directory, []);
      checkEventsDirectory(this.directory);
      this.#watchList();
      this.#problems.resolve('events');
    } catch (error) {
      this.#watch.close();
      this.#problems.report('events', `hooks cannot be heard: ${reasonOf(error)}`);
      return [];
    }
    for (const user of this.#users.values()) {
      try {
        ensureEventsDirectory(this.directory, [user], this.#group);
        this.#problems.resolve(`make ${user.name}`);
      } catch (error) {
        // an unsafe one is told of when it is looked at
        if (error instanceof UnsafeDirectoryError) continue;
        this.#problems.report(
          `make ${user.name}`,
          `hooks of ${user.name} cannot be heard: ${reasonOf(error)}`,
        );
      }
    }
    try {
      const names = readdirSync(this.directory);
      this.#problems.resolve('list');
      if (names.length > MAX_USERS) {
        this.#problems.report(
          'users',
          `${this.directory} holds more than ${MAX_USERS} directories: the hooks of the others are not heard; ` +
            'remove those of users that run no OpenVPN',
        );
      } else this.#problems.resolve('users');
      return names.slice(0, MAX_USERS);
    } catch (error) {
      this.#problems.report(
        'list',
        `cannot read ${this.directory}: ${whyDenied(error, 'read', this.directory)}`,
      );
      return undefined;
    }
  }

  #watchList(): void {
    try {
      this.#watch.follow();
      this.#problems.resolve('watch');
    } catch (error) {
      this.#problems.report('watch', describeUnwatched(this.directory, this.#rescanMs, error));
    }
  }

  #follow(path: string): UserDirectory {
    const directory = new UserDirectory(
      path,
      { probe: this.#probe, rescanMs: this.#rescanMs, group: this.#group },
      {
        onAdded: (known) => this.emit('added', known),
        onRemoved: (known) => this.emit('removed', known),
        ...this.#listener,
        onGone: () => {
          this.#requestList();
        },
        onNoise: () => {
          this.#rescanAll();
        },
        onWork: () => {
          if (this.#running) this.#fair.request(directory);
        },
      },
    );
    return directory;
  }

  #close(directory: UserDirectory): void {
    this.#fair.cancel(directory);
    directory.close();
  }

  #dropDead(): void {
    for (const directory of this.#directories.values()) {
      for (const pid of directory.pids()) if (!this.#isAlive(pid)) directory.dropProcess(pid);
    }
  }

  #isAlive(pid: number): boolean {
    try {
      return this.#exists(pid);
    } catch {
      // kept from us: the next look at everything says so
      return true;
    }
  }
}
