import type { Field } from '../layout/layout.js';
import type { Gatherer } from './address-space.js';
import { FieldSelection, type Slot } from './field-selection.js';
import { FieldTable } from './field-table.js';

/** One pointer member of many structures. */
export class PointerTable {
  readonly #selection = new FieldSelection();
  readonly #slot: Slot;
  readonly #table: FieldTable;

  constructor(
    private readonly space: Gatherer,
    field: Field,
  ) {
    this.#slot = this.#selection.add(field);
    this.#table = new FieldTable(this.#selection);
  }

  /** Reads the pointer of each structure; 0 for a structure that cannot be read. */
  read(addresses: BigUint64Array): BigUint64Array {
    const table = this.space.gather(addresses, this.#selection, this.#table);
    return table.pointers(this.#slot, addresses.length);
  }

  /** Reads the pointer of one structure. Returns undefined if it cannot be read. */
  readOne(address: bigint): bigint | undefined {
    const table = this.space.gather(BigUint64Array.of(address), this.#selection, this.#table);
    return table.isRead(0) ? table.u64(0, this.#slot) : undefined;
  }

  /** See {@link FieldTable.isUnchanged}. */
  isUnchanged(row: number): boolean {
    return this.#table.isUnchanged(row);
  }

  /** The pointer of one row of the last read. */
  pointer(row: number): bigint {
    return this.#table.u64(row, this.#slot);
  }
}
