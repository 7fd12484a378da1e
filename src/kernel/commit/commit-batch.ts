import type { NativeMemory } from '../../native/addon.js';
import type { GuardSequence, GuardTable } from './guard-table.js';

/** Members of a record of `commitAll`: guards, first change, number of changes, the commit that must be made first. */
const RECORD = 4;
/** Words of a change. */
const CHANGE = 5;

/** Commits with guards in one table. */
interface TableBatch {
  readonly records: Int32Array;
  /** For each record: the index of its result. */
  readonly indices: Int32Array;
  count: number;
}

/** Collects guarded commits, and carries out all with guards in the same table in one native call. */
export class CommitBatch {
  readonly #tables = new Map<GuardTable, TableBatch>();
  #lastTable: GuardTable | undefined;
  #lastBatch: TableBatch | undefined;
  /** The different changes, and where each starts. There are few: see {@link PriorityBits.changes}. */
  readonly #changes: { readonly words: BigUint64Array; readonly start: number }[] = [];
  #changeCount = 0;

  /** @param most the number of commits at most. */
  constructor(private readonly most: number) {}

  /**
   * Adds a commit.
   * @param index of its result.
   * @param after the number of an earlier commit of the same table that must be made first; -1: none.
   * @returns the number of this commit in its table.
   */
  add(
    index: number,
    { table, at }: Pick<GuardSequence, 'table' | 'at'>,
    changes: BigUint64Array,
    after = -1,
  ): number {
    const batch = this.#batchOf(table);
    const number = batch.count++;
    const { records } = batch;
    const record = number * RECORD;
    batch.indices[number] = index;
    records[record] = at;
    records[record + 1] = this.#startOf(changes);
    records[record + 2] = changes.length / CHANGE;
    records[record + 3] = after;
    return number;
  }

  /**
   * Carries out all commits: see `commitAll` of the addon.
   * @param receive called with the index and the result of each.
   */
  run(memory: NativeMemory, receive: (index: number, result: number) => void): void {
    const changes = new BigUint64Array(this.#changeCount * CHANGE);
    for (const { words, start } of this.#changes) changes.set(words, start * CHANGE);
    for (const [table, { records, indices, count }] of this.#tables) {
      const results = new Int32Array(count);
      memory.commitAll(table.words, changes, records.subarray(0, count * RECORD), results);
      for (let at = 0; at < count; at++) receive(indices[at] as number, results[at] as number);
    }
  }

  #batchOf(table: GuardTable): TableBatch {
    if (table === this.#lastTable && this.#lastBatch) return this.#lastBatch;
    let batch = this.#tables.get(table);
    if (!batch) {
      batch = { records: new Int32Array(this.most * RECORD), indices: new Int32Array(this.most), count: 0 };
      this.#tables.set(table, batch);
    }
    this.#lastTable = table;
    return (this.#lastBatch = batch);
  }

  #startOf(changes: BigUint64Array): number {
    for (const { words, start } of this.#changes) if (words === changes) return start;
    const start = this.#changeCount;
    this.#changes.push({ words: changes, start });
    this.#changeCount += changes.length / CHANGE;
    return start;
  }
}
