import { EventEmitter } from 'node:events';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  opendirSync,
  readdirSync,
  readSync,
  unlinkSync,
  watch,
  type FSWatcher,
  type Stats,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { formatEndpoint } from '../endpoint.js';
import { Pace } from '../pace.js';
import type { ProblemMap } from '../problems.js';
import { hasCode, reasonOf } from './errno.js';
import {
  checkEventsDirectory,
  checkUserDirectory,
  defaultHookUsers,
  ensureEventsDirectory,
  hookUser,
  UnsafeDirectoryError,
  type HookUser,
} from './events-directory.js';
import { processExists, probeProcess, type ProcessFacts, type ProcessProbe } from './process.js';
import {
  MAX_RECORD_BYTES,
  parseRecord,
  parseRecordName,
  type EventRecord,
  type RecordName,
} from './record.js';

/** A record that was found good. */
export interface KnownRecord {
  /** Its file. */
  readonly path: string;
  readonly record: EventRecord;
  /** `performance.now()` when this content was first read. */
  readonly seenAt: number;
}

interface EventsMap extends ProblemMap {
  added: [KnownRecord];
  removed: [KnownRecord];
}

export interface EventsOptions {
  readonly probe?: ProcessProbe;
  /** Whose directories are made; default: root and nobody. */
  readonly users?: readonly HookUser[];
  /** The safety net under inotify, in milliseconds. */
  readonly rescanMs?: number;
}

/** Files of one user's directory that are looked at; a server has at most as many clients as file descriptors. */
const MAX_ENTRIES = 16_384;
const MAX_USERS = 64;
/** Files looked at before others get their turn. */
const BATCH = 64;
/** Files complained about one by one between two rescans; of the rest only the number is told. */
const MAX_COMPLAINTS = 10;
/** How seldom everything is looked at. */
const SPARING = { times: 4000, longest: 300_000 };
/** A hook writes a record in one go; one that has no end after this many milliseconds gets none. */
const UNFINISHED_MS = 2_000;
/** How often the processes that have records are looked at: one that is killed runs no hook. */
const LIVENESS_MS = 1_000;

interface Watched {
  readonly watcher: FSWatcher;
  readonly identity: string;
}

interface Rejected {
  readonly signature: string;
  readonly since: number;
  /** Undefined while the record may still be finished. */
  readonly reason?: string;
}

/**
 * What the hooks recorded in one events directory, kept up to date through inotify. Nothing in there is
 * trusted: a record counts if it is a plain file that belongs to the user of the OpenVPN process that it names.
 * Records of processes that are gone are removed; other files are complained about once and left alone.
 */
export class Events extends EventEmitter<EventsMap> {
  readonly directory: string;
  readonly #probe: ProcessProbe;
  /** Whether a process is not gone. */
  readonly #exists: (pid: number) => boolean;
  readonly #rescanMs: number;
  readonly #users: Map<string, HookUser>;
  readonly #watched = new Map<string, Watched>();
  readonly #records = new Map<string, KnownRecord & { signature: string }>();
  /** How many of them each process has. */
  readonly #perProcess = new Map<number, number>();
  readonly #pace = new Pace();
  readonly #rejected = new Map<string, Rejected>();
  readonly #problems = new Map<string, string>();
  readonly #pending = new Set<string>();
  #complaints = 0;
  #uncounted: { count: number; example: string } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #liveness: NodeJS.Timeout | undefined;
  #running = false;
  #scanning = false;
  #scanAgain = false;
  #drain: NodeJS.Immediate | undefined;

  constructor(directory: string, options: EventsOptions = {}) {
    super();
    this.directory = resolve(directory);
    const { probe } = options;
    this.#probe = probe ?? probeProcess;
    this.#exists = probe ? (pid) => probe(pid).is !== 'gone' : processExists;
    this.#rescanMs = options.rescanMs ?? 10_000;
    this.#users = new Map((options.users ?? defaultHookUsers()).map((user) => [user.name, user]));
  }

  /** Begins to watch; what is there already is announced soon after. Never throws: see `problem`. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#liveness = setInterval(() => {
      this.#dropDead();
    }, LIVENESS_MS);
    void this.#rescan();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    clearInterval(this.#liveness);
    if (this.#drain) clearImmediate(this.#drain);
    this.#drain = undefined;
    this.#pending.clear();
    for (const path of [...this.#watched.keys()]) this.#unwatch(path);
  }

  records(): readonly KnownRecord[] {
    return [...this.#records.values()];
  }

  /** Makes the directory for a user that OpenVPN turned out to run as. */
  addUser(uid: number): void {
    const user = hookUser(uid);
    if (this.#users.has(user.name)) return;
    this.#users.set(user.name, user);
    this.#requestScan();
  }

  /**
   * Removes a record whose server says that there is no such session.
   * @returns whether it was there: client-disconnect may have removed it a moment ago.
   */
  discard({ path }: KnownRecord): boolean {
    return this.#remove(path);
  }

  #requestScan(): void {
    if (this.#running) void this.#rescan();
  }

  /** Looks at everything; the only place where the events directory and its watches are set up. */
  async #rescan(): Promise<void> {
    if (this.#scanning) {
      this.#scanAgain = true;
      return;
    }
    this.#scanning = true;
    clearTimeout(this.#timer);
    const start = performance.now();
    try {
      do {
        this.#scanAgain = false;
        this.#complaints = 0;
        const facts = new Map<number, ProcessFacts>();
        const seen = new Set<string>();
        for (const path of this.#prepare()) await this.#scanUser(path, seen, facts);
        if (!this.#isRunning()) return;
        for (const path of [...this.#records.keys(), ...this.#rejected.keys()]) {
          if (!seen.has(path)) this.#examine(path, facts);
        }
        this.#tellUncounted();
      } while (this.#isScanAsked() && this.#isRunning());
    } catch (error) {
      this.#problem(this.directory, `cannot read the events directory ${this.directory}: ${reasonOf(error)}`);
    } finally {
      this.#scanning = false;
    }
    if (!this.#isRunning()) return;
    this.#pace.took(performance.now() - start);
    // what may still be finished gets no event if it is not
    const isHalf = [...this.#rejected.values()].some(({ reason }) => reason === undefined);
    const wait = isHalf ? this.#rescanMs : this.#pace.pause({ ...SPARING, least: this.#rescanMs });
    this.#timer = setTimeout(() => void this.#rescan(), wait);
  }

  // calls, because after an await what the compiler knows of a field no longer holds
  #isRunning(): boolean {
    return this.#running;
  }

  #isScanAsked(): boolean {
    return this.#scanAgain;
  }

  /** Makes, checks and watches the directories; returns the users' ones that can be trusted. */
  #prepare(): string[] {
    try {
      ensureEventsDirectory(this.directory, []);
      checkEventsDirectory(this.directory);
      this.#watch(this.directory);
      this.#solved(this.directory);
    } catch (error) {
      this.#unwatch(this.directory);
      this.#problem(this.directory, `hooks cannot be heard: ${reasonOf(error)}`);
      for (const path of [...this.#records.keys()]) this.#forget(path);
      return [];
    }
    for (const user of this.#users.values()) {
      const path = join(this.directory, user.name);
      try {
        ensureEventsDirectory(this.directory, [user]);
        this.#solved(`make ${path}`);
      } catch (error) {
        // an unsafe one is told of when it is looked at
        if (error instanceof UnsafeDirectoryError) continue;
        this.#problem(`make ${path}`, `hooks of ${user.name} cannot be heard: ${reasonOf(error)}`);
      }
    }
    return this.#userDirectories();
  }

  #userDirectories(): string[] {
    const paths: string[] = [];
    for (const name of readdirSync(this.directory).slice(0, MAX_USERS)) {
      const path = join(this.directory, name);
      try {
        checkUserDirectory(path);
        this.#watch(path);
        this.#solved(path);
        paths.push(path);
      } catch (error) {
        this.#unwatch(path);
        if (!hasCode(error, 'ENOENT')) this.#problem(path, `hooks cannot be heard: ${reasonOf(error)}`);
        for (const record of [...this.#records.keys()]) {
          if (record.startsWith(`${path}/`)) this.#forget(record);
        }
      }
    }
    return paths;
  }

  async #scanUser(path: string, seen: Set<string>, facts: Map<number, ProcessFacts>): Promise<void> {
    let count = 0;
    try {
      // Not through libuv's threads: a batch of names takes less time to read than one takes to wake, and it would be an
      // awakening for every 32.
      const directory = opendirSync(path, { bufferSize: BATCH });
      try {
        for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
          if (!this.#isRunning()) return;
          if (count++ === MAX_ENTRIES) {
            this.#problem(
              `${path}/`,
              `${path} holds more than ${MAX_ENTRIES} files: the rest is not read; empty it`,
            );
            return;
          }
          const file = join(path, entry.name);
          seen.add(file);
          // what no hook made costs no system call
          if (this.#nameOf(file) === undefined) this.#rejectName(file);
          else this.#examine(file, facts);
          if (count % BATCH === 0) await yieldToOthers();
        }
      } finally {
        directory.closeSync();
      }
      this.#solved(`${path}/`);
    } catch (error) {
      // gone since it was listed: the next look settles it
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }

  #watch(path: string): void {
    // a directory that is made again can have the inode number of the one before
    const { dev, ino, birthtimeNs } = lstatSync(path, { bigint: true });
    const identity = `${dev}:${ino}:${birthtimeNs}`;
    if (this.#watched.get(path)?.identity === identity) return;
    this.#unwatch(path);
    try {
      const watcher = watch(path, (_type, name) => {
        this.#onEvent(path, name);
      });
      watcher.on('error', () => {
        this.#unwatch(path);
        this.#requestScan();
      });
      this.#watched.set(path, { watcher, identity });
      this.#solved(`watch ${path}`);
    } catch (error) {
      this.#problem(
        `watch ${path}`,
        `cannot watch ${path} (${reasonOf(error)}): it is read every ${this.#rescanMs / 1000} s only; ` +
          (hasCode(error, 'EACCES', 'EPERM')
            ? 'run subflowd as root, with CAP_DAC_OVERRIDE'
            : 'mend it with: sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=65536'),
      );
    }
  }

  #unwatch(path: string): void {
    this.#watched.get(path)?.watcher.close();
    this.#watched.delete(path);
  }

  #onEvent(directory: string, name: string | null): void {
    if (!this.#running) return;
    // a directory that is removed or replaced gives its own name
    if (name === null || directory === this.directory || name === basename(directory)) {
      if (name === basename(directory)) this.#unwatch(directory);
      this.#requestScan();
      return;
    }
    if (this.#pending.size >= MAX_ENTRIES) {
      this.#pending.clear();
      this.#requestScan();
      return;
    }
    this.#pending.add(join(directory, name));
    this.#drain ??= setImmediate(() => {
      this.#drainPending();
    });
  }

  #drainPending(): void {
    this.#drain = undefined;
    const facts = new Map<number, ProcessFacts>();
    let count = 0;
    for (const path of this.#pending) {
      this.#pending.delete(path);
      this.#examine(path, facts);
      if (++count === BATCH) break;
    }
    if (this.#pending.size > 0) {
      this.#drain = setImmediate(() => {
        this.#drainPending();
      });
    }
  }

  #dropDead(): void {
    for (const pid of [...this.#perProcess.keys()]) {
      if (this.#isAlive(pid)) continue;
      for (const [path, { record }] of this.#records) if (record.pid === pid) this.#remove(path);
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

  /** What its name says, which a known record's content was found to say too; undefined if no hook gives such a name. */
  #nameOf(path: string): RecordName | undefined {
    return this.#records.get(path)?.record ?? parseRecordName(basename(path));
  }

  /** Brings what is known of one file up to date. Never throws. */
  #examine(path: string, facts: Map<number, ProcessFacts>): void {
    if (!this.#running) return;
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

    const found = facts.get(name.pid) ?? this.#probe(name.pid);
    facts.set(name.pid, found);
    if (found.is === 'gone') {
      this.#remove(path);
      return undefined;
    }
    if (found.is === 'other') return `process ${name.pid} is ${found.exe}, not OpenVPN`;
    if (stats.uid !== 0 && stats.uid !== found.euid) {
      return `it belongs to user ${stats.uid}, but process ${name.pid} runs as user ${found.euid}`;
    }
    const signature = signatureOf(stats);
    if (this.#records.get(path)?.signature === signature) return undefined;
    const known = this.#rejected.get(path);
    if (known?.signature === signature) {
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
    this.#records.set(path, known);
    this.#perProcess.set(record.pid, (this.#perProcess.get(record.pid) ?? 0) + 1);
    this.emit('added', known);
    return undefined;
  }

  /** @returns whether it was there, and no longer is. */
  #remove(path: string): boolean {
    let isRemoved = true;
    try {
      unlinkSync(path);
    } catch (error) {
      isRemoved = false;
      if (!hasCode(error, 'ENOENT'))
        this.#complain(path, `it is stale and cannot be removed: ${reasonOf(error)}`);
    }
    this.#forget(path);
    return isRemoved;
  }

  #forget(path: string): void {
    this.#rejected.delete(path);
    this.#solved(`file ${path}`);
    const known = this.#records.get(path);
    if (known === undefined) return;
    this.#records.delete(path);
    const { pid } = known.record;
    const others = (this.#perProcess.get(pid) ?? 0) - 1;
    if (others > 0) this.#perProcess.set(pid, others);
    else this.#perProcess.delete(pid);
    this.emit('removed', known);
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
    this.#complain(path, reason);
  }

  #complain(path: string, reason: string): void {
    const text = `${JSON.stringify(path)} is no record of a session: ${reason}`;
    if (this.#complaints++ < MAX_COMPLAINTS)
      this.#problem(`file ${path}`, `${text}; if no hook wrote it, remove it`);
    else this.#uncounted = { count: (this.#uncounted?.count ?? 0) + 1, example: text };
  }

  #tellUncounted(): void {
    if (this.#uncounted === undefined) return;
    const { count, example } = this.#uncounted;
    this.#uncounted = undefined;
    this.emit(
      'problem',
      `${count} more files in ${this.directory} are no records of sessions; the last: ${example}`,
    );
  }

  #problem(key: string, text: string): void {
    if (this.#problems.get(key) === text) return;
    this.#problems.set(key, text);
    this.emit('problem', text, key);
  }

  #solved(key: string): void {
    if (this.#problems.delete(key)) this.emit('resolved', key);
  }
}

/** Of the time, as a double has it, a quarter of a microsecond can be told. */
function signatureOf(stats: Stats): string {
  return `${stats.ino}:${stats.mtimeMs}:${stats.size}:${stats.uid}`;
}

/** One byte more than a record may have, so that a longer one is noticed. */
function readBounded(path: string): Buffer {
  // O_NONBLOCK: should it have become a FIFO since it was looked at
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return Buffer.alloc(0);
    const bytes = Buffer.alloc(Math.min(stats.size, MAX_RECORD_BYTES) + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(fd, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
