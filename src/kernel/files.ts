import type { AddressSpace } from './address_space.js';
import { KernelError } from './kernel_error.js';
import type { Layout } from './layout.js';
import { Shape } from './shape.js';

/** The kernel's own bound (fs.nr_open) is 1,048,576 by default and can be raised; an fd table is not larger than this. */
const MAX_FDS = 1 << 22;

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
  readonly fds: Uint32Array;
  readonly addresses: BigUint64Array;
}

/** `task_struct.files` -> `files_struct.fdt` -> `fdtable.fd[]` (paper, section 3.3.2). */
export function openFiles(space: AddressSpace, layout: Layout, task: bigint): OpenFiles {
  const files = pointer(space, task, layout.field('task_struct', 'files').offset, 'files');
  if (files === 0n) throw new KernelError('fd table', 'the process has given up its files: it is exiting');
  const fdt = pointer(space, files, layout.field('files_struct', 'fdt').offset, 'fdt');
  const shape = new Shape();
  const [maxFds, fd] = [layout.field('fdtable', 'max_fds'), layout.field('fdtable', 'fd')].map((field) =>
    shape.add(field),
  ) as [number, number];
  const table = space.gather(BigUint64Array.of(fdt), shape);
  if (!table.isRead(0)) throw new KernelError('fd table', 'struct fdtable cannot be read');
  const max = table.u32(0, maxFds);
  if (max > MAX_FDS) throw new KernelError('fd table', `it claims ${max} descriptors`);
  const array = table.u64(0, fd);
  const all = new BigUint64Array(max);
  if (!space.read(array, new Uint8Array(all.buffer))) {
    throw new KernelError('fd table', 'its array of files cannot be read');
  }
  return { task, files, fdt, array, ...used(all) };
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

function pointer(space: AddressSpace, base: bigint, offset: number, name: string): bigint {
  const value = space.pointer(base + BigInt(offset));
  if (value === undefined) throw new KernelError('fd table', `the pointer ${name} cannot be read`);
  return value;
}
