import { lstatSync, unlinkSync, type Stats } from 'node:fs';
import { basename } from 'node:path';
import { formatEndpoint } from '../../model/endpoint.js';
import { hasCode, reasonOf } from '../../util/errno.js';
import type { DirectoryProblems } from './directory-problems.js';
import type { ProcessFacts, ProcessProbe } from '../process.js';
import { readBounded, signatureOf } from './record-file.js';
import { RecordTable, type ValidRecord } from './record-table.js';
import { parseRecord, parseRecordName, type RecordName } from './record.js';

export interface RecordListener {
  readonly onAdded: (known: ValidRecord) => void;
  readonly onRemoved: (known: ValidRecord) => void;
}

/** Files of one directory that are looked at; a server has at most as many clients as file descriptors. */
export const MAX_ENTRIES = 16_384;
/** A hook writes a record in one go; one that has no end after this many milliseconds gets none. */
export const UNFINISHED_MS = 2_000;
/** Why a record is ignored until others are gone. */
const FULL = 'its directory holds as many records as are read';
/** Why a file is ignored that should be removed, and cannot be. */
const STALE = 'it is stale, and cannot be removed';

interface Rejected {
  readonly signature: string;
  readonly since: number;
  /** Undefined while the record may still be finished. */
  readonly reason?: string;
}

/** What is known of each file of one directory: which are records, and why the others are none. */
export class RecordFiles {
  readonly #records = new RecordTable();
  readonly #rejected = new Map<string, Rejected>();

  constructor(
    private readonly directory: string,
    private readonly probe: ProcessProbe,
    private readonly problems: DirectoryProblems,
    private readonly listener: RecordListener,
    /** Records that are known at once: events bring files beyond those that a look at all of them reads. */
    private readonly maxRecords = MAX_ENTRIES,
  ) {}

  records(): IterableIterator<ValidRecord> {
    return this.#records.values();
  }

  /** Every file that is known, records first. */
  paths(): string[] {
    return [...this.#records.paths(), ...this.#rejected.keys()];
  }

  /** Processes that have a record here. */
  pids(): number[] {
    return this.#records.pids();
  }

  /** Whether there is one that its hook may still finish. */
  get hasUnfinished(): boolean {
    return [...this.#rejected.values()].some(({ reason }) => reason === undefined);
  }

  /** Forgets everything, without removing a file. */
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

  /** What its name says, which a known record's content was found to say too; undefined if no hook gives such a name. */
  nameOf(path: string): RecordName | undefined {
    return this.#records.get(path)?.record ?? parseRecordName(basename(path));
  }

  /** Brings what is known of one file up to date. Never throws. */
  examine(path: string, facts: Map<number, ProcessFacts>): void {
    try {
      const stats = lstatSync(path);
      const name = this.nameOf(path);
      if (name === undefined) {
        this.rejectName(path);
        return;
      }
      const doubt = this.#doubt(name, stats, facts);
      // not under its own signature: the process can become what it should be while the file stays as it is
      if (doubt !== undefined) this.#reject(path, `${signatureOf(stats)} of ${name.pid}`, doubt);
      else {
        const reason = this.#judge(path, name, signatureOf(stats), facts);
        if (reason !== undefined) this.#reject(path, signatureOf(stats), reason);
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) this.#forget(path);
      else this.#reject(path, 'unreadable', reasonOf(error));
    }
  }

  /** @returns why it cannot be a record of the process that its name says, whatever it holds. */
  #doubt(name: RecordName, stats: Stats, facts: Map<number, ProcessFacts>): string | undefined {
    if (!stats.isFile()) return 'it is not a plain file';
    const found = facts.get(name.pid) ?? this.probe(name.pid);
    facts.set(name.pid, found);
    if (found.is === 'other') return `process ${name.pid} is ${found.exe}, not OpenVPN`;
    if (found.is === 'openvpn' && stats.uid !== 0 && stats.uid !== found.euid) {
      return `it belongs to user ${stats.uid}, but process ${name.pid} runs as user ${found.euid}`;
    }
    return undefined;
  }

  /** @returns why the file is no record. */
  #judge(
    path: string,
    name: RecordName,
    signature: string,
    facts: ReadonlyMap<number, ProcessFacts>,
  ): string | undefined {
    if (facts.get(name.pid)?.is === 'gone') {
      this.#remove(path, signature);
      return undefined;
    }
    if (this.#records.get(path)?.signature === signature) return undefined;
    const known = this.#rejected.get(path);
    if (known?.signature === signature && known.reason !== FULL) {
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
    if (this.#records.size >= this.maxRecords && this.#records.get(path) === undefined) return FULL;
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
        this.problems.report(
          'tidy',
          `stale records in ${this.directory} cannot be removed: ${reasonOf(error)}`,
        );
    }
    this.#forget(path);
    if (outcome === 'kept') this.#rejected.set(path, { signature, reason: STALE, since: performance.now() });
    return outcome === 'removed';
  }

  #forget(path: string): void {
    if (this.#rejected.delete(path)) this.problems.resolveFile(path);
    const known = this.#records.delete(path);
    if (known !== undefined) this.listener.onRemoved(known);
  }

  rejectName(path: string): void {
    this.#reject(path, 'name', 'it has no name that a hook gives');
  }

  #reject(path: string, signature: string, reason: string): void {
    const before = this.#rejected.get(path);
    if (before?.signature === signature && before.reason === reason) return;
    this.#forget(path);
    if (this.#rejected.size < MAX_ENTRIES) {
      this.#rejected.set(path, { signature, reason, since: before?.since ?? performance.now() });
    }
    this.problems.reportFile(path, `is no record of a session: ${reason}`, 'if no hook wrote it, remove it');
  }
}
