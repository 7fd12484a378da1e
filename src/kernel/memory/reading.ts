import type { GatheredRows } from '../../native/addon.js';
import type { AddressSpace, Gathering } from './address-space.js';
import { Column } from './column.js';
import type { Shape } from './shape.js';

/** Everything that a look reads, so that one call tells whether the next one would read the same. */
export class Reading implements Gathering {
  #columns: GatheredRows[number][] = [];
  #isDoubtful = false;

  constructor(private readonly space: AddressSpace) {}

  /** Forgets what was read up to now. */
  begin(): void {
    this.#columns = [];
    this.#isDoubtful = false;
  }

  /** What was found is not to be found in what was read, which changed meanwhile: the next look has to look itself. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** See {@link AddressSpace.gather}; each column once in a look. */
  gather(addresses: BigUint64Array, shape: Shape, into = new Column(shape), beside?: Column): Column {
    this.space.gather(addresses, shape, into, beside);
    this.#columns.push(...into.rows, ...(beside?.rows ?? []));
    return into;
  }

  /**
   * Whether every word is as it was read. Then whoever followed them again would come by the same addresses, and read the
   * same there.
   */
  holds(): boolean {
    return !this.#isDoubtful && this.space.holds(this.#columns);
  }
}
