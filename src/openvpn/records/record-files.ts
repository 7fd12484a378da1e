import { lstatSync, unlinkSync, type Stats } from 'node:fs';
import { basename } from 'node:path';
import { formatEndpoint } from '../../model/endpoint.js';
import { hasCode, reasonOf } from '../../util/errno.js';
import type { DirectoryProblems } from './directory-problems.js';
import type { ProcessFacts, ProcessProbe } from './process.js';
import { readBounded, signatureOf } from './record-file.js';
import { RecordTable, type ValidRecord } from './record-table.js';
import { parseRecord, parseRecordName, type RecordName } from './record.js';

/** Receives the changes of the valid records. */
export interface RecordListener {
  readonly onAdded: (record: ValidRecord) => void;
  readonly onRemoved: (record: ValidRecord) => void;
}

/** Largest number of files in one directory that are read. A server has at most as many clients as file descriptors. */
export const MAX_ENTRIES = 16_384;
/** A hook writes a record at once. A file whose end is missing after this many milliseconds is not a record. */
export const UNFINISHED_MS = 2_000;
/** Why a record is rejected until others are removed. */
const FULL = 'its directory already holds as many records as subflowd reads';
/** Why a stale record is rejected that could not be removed. */
const STALE = 'it is stale, and subflowd may not remove it';

/** A file that is not a valid record. */
interface Rejected {
  /** Of the file when it was rejected. It is examined again when its signature changes. */
  readonly signature: string;
  /** `performance.now()`. */
  readonly since: number;
  /** Undefined while the hook may still finish the record. */
  readonly reason?: string;
}

/** The files of one directory: which of them are valid records, and why the others are not. */
export class RecordFiles {
  readonly #records = new RecordTable();
  readonly #rejected = new Map<string, Rejected>();

  constructor(
    private readonly directory: string,
    private readonly probe: ProcessProbe,
    private readonly problems: DirectoryProblems,
    private readonly listener: RecordListener,
    /** Largest number of records. A scan stops at this number, but each event can add another file. */
    private readonly maxRecords = MAX_ENTRIES,
  ) {}

  records(): IterableIterator<ValidRecord> {
    return this.#records.values();
  }

  /** Every examined file, valid records first. */
  paths(): string[] {
    return [...this.#records.paths(), ...this.#rejected.keys()];
  }

  /** The processes that have a record here. */
  pids(): number[] {
    return this.#records.pids();
  }

  /** Whether there is a record that its hook may still finish. */
  get hasUnfinished(): boolean {
    return [...this.#rejected.values()].some(({ reason }) => reason === undefined);
  }

  /** Forgets everything, without removing a file. */
  forgetAll(): void {
    this.#rejected.clear();
    for (const path of this.#records.paths()) this.#forget(path);
  }

  /** Removes a record. @returns whether this call removed it. */
  discard(path: string): boolean {
    const known = this.#records.get(path);
    return known !== undefined && this.#remove(path, known.signature);
  }

  /** Removes the records of a process that has ended. */
  dropProcess(pid: number): void {
    for (const known of [...this.#records.values()]) if (known.record.pid === pid) this.discard(known.path);
  }

  /** The process and the endpoint in the name of a file; undefined if no hook gives such a name. */
  nameOf(path: string): RecordName | undefined {
    return this.#records.get(path)?.name ?? parseRecordName(basename(path));
  }

  /**
   * Reads a new or changed file, and forgets a removed one. Never throws.
   * @param facts what `/proc` showed about processes. Further processes are added.
   */
  examine(path: string, facts: Map<number, ProcessFacts>): void {
    try {
      const stats = lstatSync(path);
      const name = this.nameOf(path);
      if (name === undefined) {
        this.rejectName(path);
        return;
      }
      const mismatch = this.#findMismatch(path, name, stats, facts);
      // another signature than that of the file: the process can change to OpenVPN while the file stays the same
      if (mismatch !== undefined) this.#reject(path, `${signatureOf(stats)} of ${name.pid}`, mismatch);
      else {
        const reason = this.#update(path, name, signatureOf(stats), facts);
        if (reason !== undefined) this.#reject(path, signatureOf(stats), reason);
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) this.#forget(path);
      else
        this.#reject(
          path,
          'unreadable',
          hasCode(error, 'EACCES') ? notReadable(this.directory) : reasonOf(error),
        );
    }
  }

  /** @returns why the file cannot be a record of the process in its name, whatever it contains. */
  #findMismatch(
    path: string,
    name: RecordName,
    stats: Stats,
    facts: Map<number, ProcessFacts>,
  ): string | undefined {
    if (!stats.isFile()) return 'it is not a regular file';
    const found = facts.get(name.pid) ?? this.#probeProcess(path, name.pid);
    facts.set(name.pid, found);
    if (found.is === 'ambiguous') {
      return (
        `several OpenVPN processes report that they are process ${name.pid}, each in a PID namespace of its own: on this host ` +
        `they are ${found.pids.join(', ')}; set \`management =\` to a unix socket in each of their [openvpn] sections, and give each ` +
        'its own events directory'
      );
    }
    if (found.is === 'other') return `process ${name.pid} is ${found.exe}, not OpenVPN`;
    if (found.is === 'openvpn' && stats.uid !== 0 && stats.uid !== found.euid) {
      return `it belongs to user ${stats.uid}, but process ${name.pid} runs as user ${found.euid}`;
    }
    return undefined;
  }

  /**
   * If a record was of a process in a PID namespace of its own, and no such process reports its PID any more, that process is gone.
   * Which process has the number on this host does not matter.
   */
  #probeProcess(path: string, reported: number): ProcessFacts {
    const known = this.#records.get(path);
    const wasNested = known !== undefined && known.record.pid !== reported;
    try {
      const facts = this.probe(reported);
      return wasNested && facts.is === 'other' ? { is: 'gone' } : facts;
    } catch (error) {
      if (wasNested) return { is: 'gone' };
      throw error;
    }
  }

  /** Takes the file's present state. @returns why the file is not a record; undefined if it is one, or may become one. */
  #update(
    path: string,
    name: RecordName,
    signature: string,
    facts: ReadonlyMap<number, ProcessFacts>,
  ): string | undefined {
    if (facts.get(name.pid)?.is === 'gone') {
      this.#remove(path, signature);
      return undefined;
    }
    const pid = pidOf(facts.get(name.pid), name.pid);
    const current = this.#records.get(path);
    if (current?.signature === signature && current.record.pid === pid) return undefined;
    const known = this.#rejected.get(path);
    if (known?.signature === signature && known.reason !== FULL) {
      if (known.reason === STALE) {
        this.#remove(path, signature);
        return undefined;
      }
      const isLate = known.reason === undefined && performance.now() - known.since > UNFINISHED_MS;
      return isLate ? 'its end is missing (is the disk full?)' : known.reason;
    }
    return this.#read(path, name, signature, pid);
  }

  /** @param pid of the process on this host. @returns as {@link RecordFiles.#update}. */
  #read(path: string, name: RecordName, signature: string, pid: number): string | undefined {
    if (this.#records.size >= this.maxRecords && this.#records.get(path) === undefined) return FULL;
    const parsed = parseRecord(readBounded(path));
    if ('garbage' in parsed) return parsed.garbage;
    if ('unfinished' in parsed) {
      this.#rejected.set(path, { signature, since: performance.now() });
      return undefined;
    }
    const { record } = parsed;
    if (name.pid !== record.pid || formatEndpoint(name.real) !== formatEndpoint(record.real)) {
      return `it contains process ${record.pid} and ${formatEndpoint(record.real)}, but its name has others`;
    }
    this.#forget(path);
    const added = { path, record: { ...record, pid }, seenAt: performance.now(), signature, name };
    this.#records.add(added);
    this.listener.onAdded(added);
    return undefined;
  }

  /**
   * Removes a stale record. If that fails, ignores the file until it is written again.
   * @returns whether this call removed it.
   */
  #remove(path: string, signature: string): boolean {
    let outcome: 'removed' | 'missing' | 'kept' = 'removed';
    try {
      unlinkSync(path);
    } catch (error) {
      outcome = hasCode(error, 'ENOENT') ? 'missing' : 'kept';
      if (outcome === 'kept' && !hasCode(error, 'EACCES', 'EPERM'))
        this.problems.report('tidy', `cannot remove stale records in ${this.directory}: ${reasonOf(error)}`);
    }
    this.#forget(path);
    if (outcome === 'kept') this.#rejected.set(path, { signature, reason: STALE, since: performance.now() });
    return outcome === 'removed';
  }

  #forget(path: string): void {
    if (this.#rejected.delete(path)) this.problems.resolveFile(path);
    const removed = this.#records.delete(path);
    if (removed !== undefined) this.listener.onRemoved(removed);
  }

  /** Rejects a file by its name, without a system call. */
  rejectName(path: string): void {
    this.#reject(path, 'name', 'no hook gives such a name');
  }

  #reject(path: string, signature: string, reason: string): void {
    const before = this.#rejected.get(path);
    if (before?.signature === signature && before.reason === reason) return;
    this.#forget(path);
    if (this.#rejected.size < MAX_ENTRIES) {
      this.#rejected.set(path, { signature, reason, since: before?.since ?? performance.now() });
    }
    this.problems.reportFile(
      path,
      `is not a record of a session: ${reason}`,
      'remove it if no hook wrote it, or if its OpenVPN has ended',
    );
  }
}

/** A record of an earlier version's hook, or in a directory that does not pass its group on to its files. */
function notReadable(directory: string): string {
  return (
    `subflowd may not read it: install the hooks of this version, then: chmod 2770 ${directory}; a record of an earlier ` +
    'version stays unreadable until its client reconnects'
  );
}

/** The PID of a process on this host. @param reported the one in the name of its record. */
function pidOf(facts: ProcessFacts | undefined, reported: number): number {
  return facts?.is === 'openvpn' ? (facts.pid ?? reported) : reported;
}
