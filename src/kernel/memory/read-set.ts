import type { NativeTable } from '../../native/addon.js';
import type { AddressSpace, Gatherer } from './address-space.js';
import type { FieldSelection } from './field-selection.js';
import { FieldTable } from './field-table.js';

/** Every table that one walk read. One native call then reports whether another walk would read the same. */
export class ReadSet implements Gatherer {
  #tables: NativeTable[number][] = [];
  #isInvalid = false;

  constructor(private readonly space: AddressSpace) {}

  /** Forgets all tables, before a new walk. */
  clear(): void {
    this.#tables = [];
    this.#isInvalid = false;
  }

  /** Marks the tables as inconsistent, because memory changed during the walk. The next observation must walk again. */
  invalidate(): void {
    this.#isInvalid = true;
  }

  /** See {@link AddressSpace.gather}. A walk must not use the same table twice. */
  gather(
    addresses: BigUint64Array,
    selection: FieldSelection,
    into = new FieldTable(selection),
    beside?: FieldTable,
  ): FieldTable {
    this.space.gather(addresses, selection, into, beside);
    this.#tables.push(...into.native, ...(beside?.native ?? []));
    return into;
  }

  /** Whether memory still has every word that was read. Then another walk would follow the same pointers to the same words. */
  isUnchanged(): boolean {
    return !this.#isInvalid && this.space.isUnchanged(this.#tables);
  }
}
