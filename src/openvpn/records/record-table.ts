import type { RecordName, SessionRecord } from './record.js';

/** A record file with valid content, of a process that runs. */
export interface ValidRecord {
  /** Its file. */
  readonly path: string;
  /** Its `pid` is that on this host, also if the process reports another one to its hooks. */
  readonly record: SessionRecord;
  /** `performance.now()` when this content was first read. */
  readonly seenAt: number;
}

/** A record in a {@link RecordTable}. */
interface TableEntry extends ValidRecord {
  /** Changes when the file is written again; see `signatureOf`. */
  readonly signature: string;
  /** What the name of the file says. */
  readonly name: RecordName;
}

/** The valid records of one directory, by file. It also counts the records of each process. */
export class RecordTable {
  readonly #records = new Map<string, TableEntry>();
  /** By PID: the number of its records. */
  readonly #perProcess = new Map<number, number>();

  get size(): number {
    return this.#records.size;
  }

  get(path: string): TableEntry | undefined {
    return this.#records.get(path);
  }

  paths(): string[] {
    return [...this.#records.keys()];
  }

  values(): IterableIterator<ValidRecord> {
    return this.#records.values();
  }

  /** The processes that have a record. */
  pids(): number[] {
    return [...this.#perProcess.keys()];
  }

  /** Adds a record whose file is not in the table. */
  add(entry: TableEntry): void {
    this.#records.set(entry.path, entry);
    const { pid } = entry.record;
    this.#perProcess.set(pid, (this.#perProcess.get(pid) ?? 0) + 1);
  }

  /** @returns the deleted record; undefined if there was none. */
  delete(path: string): ValidRecord | undefined {
    const deleted = this.#records.get(path);
    if (deleted === undefined) return undefined;
    this.#records.delete(path);
    const { pid } = deleted.record;
    const others = (this.#perProcess.get(pid) ?? 0) - 1;
    if (others > 0) this.#perProcess.set(pid, others);
    else this.#perProcess.delete(pid);
    return deleted;
  }
}
