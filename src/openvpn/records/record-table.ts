import type { SessionRecord } from './record.js';

/** A record that was found good. */
export interface ValidRecord {
  /** Its file. */
  readonly path: string;
  readonly record: SessionRecord;
  /** `performance.now()` when this content was first read. */
  readonly seenAt: number;
}

/** The good records of one directory, by file, and how many each process has. */
export class RecordTable {
  readonly #records = new Map<string, ValidRecord & { readonly signature: string }>();
  readonly #perProcess = new Map<number, number>();

  get size(): number {
    return this.#records.size;
  }

  get(path: string): (ValidRecord & { readonly signature: string }) | undefined {
    return this.#records.get(path);
  }

  paths(): string[] {
    return [...this.#records.keys()];
  }

  values(): IterableIterator<ValidRecord> {
    return this.#records.values();
  }

  /** Processes that have a record. */
  pids(): number[] {
    return [...this.#perProcess.keys()];
  }

  add(known: ValidRecord & { readonly signature: string }): void {
    this.#records.set(known.path, known);
    const { pid } = known.record;
    this.#perProcess.set(pid, (this.#perProcess.get(pid) ?? 0) + 1);
  }

  /** @returns the record that is forgotten now, undefined if there was none. */
  delete(path: string): ValidRecord | undefined {
    const known = this.#records.get(path);
    if (known === undefined) return undefined;
    this.#records.delete(path);
    const { pid } = known.record;
    const others = (this.#perProcess.get(pid) ?? 0) - 1;
    if (others > 0) this.#perProcess.set(pid, others);
    else this.#perProcess.delete(pid);
    return known;
  }
}
