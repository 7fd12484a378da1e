import type { AddressSpace, Gathering } from './address_space.js';
import { Column } from './column.js';
import type { Shape } from './shape.js';

/** Everything that a look reads, so that one call tells whether the next one would read the same. */
export class Reading implements Gathering {
  #columns: Column[] = [];

  constructor(private readonly space: AddressSpace) {}

  /** Forgets what was read up to now. */
  begin(): void {
    this.#columns = [];
  }

  /** See {@link AddressSpace.gather}; each column once in a look. */
  gather(addresses: BigUint64Array, shape: Shape, into = new Column(shape), beside?: Column): Column {
    this.#columns.push(into, ...(beside ? [beside] : []));
    return this.space.gather(addresses, shape, into, beside);
  }

  /**
   * Whether every word is as it was read. Then whoever followed them again would come by the same addresses, and read the
   * same there.
   */
  holds(): boolean {
    return this.space.holds(this.#columns);
  }
}
