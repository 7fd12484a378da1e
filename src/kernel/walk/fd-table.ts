import { KernelError } from '../../model/kernel-error.js';
import { keepIfEqual } from '../../util/keep-if-equal.js';
import type { Layout } from '../layout/layout.js';
import type { AddressSpace } from '../memory/address-space.js';
import { FieldSelection, type Slot } from '../memory/field-selection.js';
import { FieldTable } from '../memory/field-table.js';
import { PointerTable } from '../memory/pointer-table.js';

/** The largest fd table. The kernel's limit (fs.nr_open) is 1,048,576 by default; an admin can raise it. */
export const MAX_FDS = 1 << 22;
/** The size of a pointer, bytes. */
const POINTER_BYTES = 8;

/** The addresses from a task to its fd table. Each of them is a guard of every file that is found through the table. */
export interface FdTable {
  readonly task: bigint;
  /** `task_struct.files`. */
  readonly files: bigint;
  /** `files_struct.fdt`. */
  readonly fdt: bigint;
  /** `fdtable.fd`: the array of pointers to files. */
  readonly array: bigint;
}

/** The open files of a process. */
export interface OpenFiles {
  /** As long as the process has the same fd table, this is the same object. */
  readonly table: FdTable;
  /** The array of pointers, with a zero for each unused descriptor. */
  readonly slots: Uint8Array;
  /** The descriptors in use. */
  readonly fds: Uint32Array;
  /** The `struct file` of each descriptor in {@link fds}. */
  readonly addresses: BigUint64Array;
}

/**
 * Reads the open files of a process: `task_struct.files` -> `files_struct.fdt` -> `fdtable.fd[]` (paper, section 3.3.2). One
 * reader serves all processes.
 */
export class FdTableReader {
  readonly #files: PointerTable;
  readonly #fdt: PointerTable;
  readonly #selection = new FieldSelection();
  readonly #maxFds: Slot;
  readonly #fd: Slot;
  readonly #tables: FieldTable;

  constructor(
    private readonly space: AddressSpace,
    layout: Layout,
  ) {
    this.#files = new PointerTable(space, layout.field('task_struct', 'files'));
    this.#fdt = new PointerTable(space, layout.field('files_struct', 'fdt'));
    this.#maxFds = this.#selection.add(layout.field('fdtable', 'max_fds'));
    this.#fd = this.#selection.add(layout.field('fdtable', 'fd'));
    this.#tables = new FieldTable(this.#selection);
  }

  /**
   * @param last the result of the last call for this process. It is returned again if nothing changed.
   * @throws {KernelError} if the task has no files, or if a structure cannot be read.
   */
  read(task: bigint, last?: OpenFiles): OpenFiles {
    const files = readPointer(this.#files, task, 'files');
    if (files === 0n) throw new KernelError('fd table', 'the process has no files: it is exiting');
    const fdt = readPointer(this.#fdt, files, 'fdt');
    const fdtable = this.space.gather(BigUint64Array.of(fdt), this.#selection, this.#tables);
    if (!fdtable.isRead(0)) throw new KernelError('fd table', 'struct fdtable cannot be read');
    const max = fdtable.u32(0, this.#maxFds);
    if (max > MAX_FDS) {
      throw new KernelError('fd table', `max_fds is ${max}, and the limit is ${MAX_FDS}`);
    }
    const array = fdtable.u64(0, this.#fd);
    const slots = new Uint8Array(max * POINTER_BYTES);
    if (!this.space.read(array, slots)) {
      throw new KernelError('fd table', 'its array of files cannot be read');
    }
    const table = keepIfEqual(last?.table, { task, files, fdt, array }, isSameTable);
    if (table === last?.table && Buffer.compare(last.slots, slots) === 0) return last;
    return { table, slots, ...usedDescriptors(new BigUint64Array(slots.buffer)) };
  }
}

/** Finds the descriptors in use. */
function usedDescriptors(slots: BigUint64Array): Pick<OpenFiles, 'fds' | 'addresses'> {
  const [fds, addresses] = [new Uint32Array(slots.length), new BigUint64Array(slots.length)];
  // Most slots are zero. V8 compares 32-bit halves faster than bigints.
  const halves = new Uint32Array(slots.buffer);
  let count = 0;
  for (let fd = 0; fd < slots.length; fd++) {
    if (halves[2 * fd] === 0 && halves[2 * fd + 1] === 0) continue;
    fds[count] = fd;
    addresses[count++] = slots[fd] as bigint;
  }
  return { fds: fds.subarray(0, count), addresses: addresses.subarray(0, count) };
}

function isSameTable(one: FdTable, other: FdTable): boolean {
  return (
    one.task === other.task && one.files === other.files && one.fdt === other.fdt && one.array === other.array
  );
}

function readPointer(pointers: PointerTable, base: bigint, name: string): bigint {
  const value = pointers.readOne(base);
  if (value === undefined) throw new KernelError('fd table', `the pointer ${name} cannot be read`);
  return value;
}
