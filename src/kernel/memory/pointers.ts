import type { Gathering } from './address-space.js';
import { Column } from './column.js';
import type { Field } from '../layout/layout.js';
import { Shape, type Slot } from './shape.js';

/** The same pointer of many structures. */
export class Pointers {
  readonly #shape = new Shape();
  readonly #slot: Slot;
  readonly #column: Column;

  constructor(
    private readonly space: Gathering,
    field: Field,
  ) {
    this.#slot = this.#shape.add(field);
    this.#column = new Column(this.#shape);
  }

  /** 0 where it cannot be read. */
  read(addresses: BigUint64Array): BigUint64Array {
    return this.space.gather(addresses, this.#shape, this.#column).pointers(this.#slot, addresses.length);
  }

  /** That of one structure; undefined if it cannot be read. */
  one(address: bigint): bigint | undefined {
    const column = this.space.gather(BigUint64Array.of(address), this.#shape, this.#column);
    return column.isRead(0) ? column.u64(0, this.#slot) : undefined;
  }

  isSame(row: number): boolean {
    return this.#column.isSame(row);
  }

  at(row: number): bigint {
    return this.#column.u64(row, this.#slot);
  }
}
