import type { AddressSpace } from '../memory/address-space.js';
import { Column } from '../memory/column.js';
import { KernelError } from '../../model/kernel-error.js';
import type { Layout } from '../layout/layout.js';
import { Pointers } from '../memory/pointers.js';
import { Shape, type Slot } from '../memory/shape.js';

/** The kernel's own bound (fs.nr_open) is 1,048,576 by default and can be raised; an fd table is not larger than this. */
export const MAX_FDS = 1 << 22;
/** Of one of them, bytes. */
const SLOT = 8;

/** A process's fd table, and the pointers that led to it: each is a guard of everything found through it. */
export interface FdTable {
  readonly task: bigint;
  readonly files: bigint;
  readonly fdt: bigint;
  /** `fdtable.fd`: where the array of file pointers lies. */
  readonly array: bigint;
}

/** The open files of a process: descriptor numbers and, in the same order, addresses of their `struct file`. */
export interface OpenFiles extends FdTable {
  /** The whole array, as it lies in memory. */
  readonly slots: Uint8Array;
  readonly fds: Uint32Array;
  readonly addresses: BigUint64Array;
}

/** `task_struct.files` -> `files_struct.fdt` -> `fdtable.fd[]` (paper, section 3.3.2). */
export class FdTables {
  readonly #files: Pointers;
  readonly #fdt: Pointers;
  readonly #shape = new Shape();
  readonly #maxFds: Slot;
  readonly #fd: Slot;
  readonly #tables: Column;

  constructor(
    private readonly space: AddressSpace,
    layout: Layout,
  ) {
    this.#files = new Pointers(space, layout.field('task_struct', 'files'));
    this.#fdt = new Pointers(space, layout.field('files_struct', 'fdt'));
    this.#maxFds = this.#shape.add(layout.field('fdtable', 'max_fds'));
    this.#fd = this.#shape.add(layout.field('fdtable', 'fd'));
    this.#tables = new Column(this.#shape);
  }

  /**
   * @param last those of the last look: they are told again if all of them are as they were.
   * @throws {KernelError} if the task has none, or it cannot be read.
   */
  of(task: bigint, last?: OpenFiles): OpenFiles {
    const files = follow(this.#files, task, 'files');
    if (files === 0n) throw new KernelError('fd table', 'the process has given up its files: it is exiting');
    const fdt = follow(this.#fdt, files, 'fdt');
    const table = this.space.gather(BigUint64Array.of(fdt), this.#shape, this.#tables);
    if (!table.isRead(0)) throw new KernelError('fd table', 'struct fdtable cannot be read');
    const max = table.u32(0, this.#maxFds);
    if (max > MAX_FDS) throw new KernelError('fd table', `it claims ${max} descriptors`);
    const array = table.u64(0, this.#fd);
    const slots = new Uint8Array(max * SLOT);
    if (!this.space.read(array, slots)) {
      throw new KernelError('fd table', 'its array of files cannot be read');
    }
    const open = { task, files, fdt, array, slots };
    return last && isSame(last, open) ? last : { ...open, ...used(new BigUint64Array(slots.buffer)) };
  }
}

/** The descriptors that are in use. */
function used(all: BigUint64Array): Pick<OpenFiles, 'fds' | 'addresses'> {
  const [fds, addresses] = [new Uint32Array(all.length), new BigUint64Array(all.length)];
  const halves = new Uint32Array(all.buffer);
  let count = 0;
  for (let fd = 0; fd < all.length; fd++) {
    if (halves[2 * fd] === 0 && halves[2 * fd + 1] === 0) continue;
    fds[count] = fd;
    addresses[count++] = all[fd] as bigint;
  }
  return { fds: fds.subarray(0, count), addresses: addresses.subarray(0, count) };
}

type Slots = Pick<OpenFiles, keyof FdTable | 'slots'>;

function isSame(one: Slots, other: Slots): boolean {
  return isSameTable(one, other) && Buffer.compare(one.slots, other.slots) === 0;
}

export function isSameTable(one: FdTable, other: FdTable): boolean {
  return (
    one.task === other.task && one.files === other.files && one.fdt === other.fdt && one.array === other.array
  );
}

function follow(pointers: Pointers, base: bigint, name: string): bigint {
  const value = pointers.one(base);
  if (value === undefined) throw new KernelError('fd table', `the pointer ${name} cannot be read`);
  return value;
}
