import type { GatheredRows, ListEnd, NativeMemory } from '../../native/addon.js';
import { Column } from './column.js';
import type { Iomem } from './iomem.js';
import { KernelError } from '../../model/kernel-error.js';
import type { Field } from '../layout/layout.js';
import { MAKE_LAYOUT } from '../layout/layout-file.js';
import { PageTables } from './page-tables.js';
import type { Shape } from './shape.js';
import { IMAGE_ALIGN, type ImageSymbols } from '../layout/symbols.js';

const PAGE = 4096n;
/** The kernel image has at most this much virtual space (arch/x86/include/asm/page_64_types.h, KERNEL_IMAGE_SIZE). */
const IMAGE_BYTES = 1n << 30n;
/** ... and lies in the last 2 GiB (Documentation/arch/x86/x86_64/mm.rst). */
const IMAGE_SPACE = 0xffff_ffff_8000_0000n;
/** Where the direct map starts if memory is not randomised (Documentation/arch/x86/x86_64/mm.rst): since 4.20, before. */
const FIXED_DIRECT_MAPS = [
  { base: 0xffff_8880_0000_0000n, levels: 4 },
  { base: 0xff11_0000_0000_0000n, levels: 5 },
  { base: 0xffff_8800_0000_0000n, levels: 4 },
  { base: 0xff10_0000_0000_0000n, levels: 5 },
] as const;

/** A direct map that may be this kernel's: where it starts, and how many levels the page tables then have. */
export interface DirectMap {
  readonly base: bigint;
  readonly levels: 4 | 5;
}

/** Whatever gathers: see {@link AddressSpace.gather}. */
export type Gathering = Pick<AddressSpace, 'gather'>;

/** The kernel's virtual addresses, read through physical memory. */
export class AddressSpace {
  readonly #tables: PageTables | undefined;
  readonly #pieces: BigUint64Array;

  private constructor(
    private readonly memory: NativeMemory,
    readonly directMap: DirectMap,
    /** Virtual address of the kernel image's start. */
    readonly text: bigint,
    image: readonly bigint[],
    ramEnd: bigint,
    root: bigint | undefined,
  ) {
    this.#pieces = BigUint64Array.from([directMap.base, directMap.base + ramEnd, 0n, ...image]);
    this.#tables = root === undefined ? undefined : new PageTables(memory, root, directMap.levels);
  }

  /**
   * The candidates for a running kernel, likeliest first; whether one is right only a walk through it can prove.
   * @param tasks `task_struct.tasks`, by which an image that the kernel does not place is found.
   * @throws {KernelError} if there is none.
   */
  static candidates(memory: NativeMemory, symbols: ImageSymbols, iomem: Iomem, tasks: Field): AddressSpace[] {
    const ramEnd = iomem.systemRam.reduce((most, { end }) => (end > most ? end : most), 0n);
    const root =
      symbols.physical('init_top_pgt') ??
      symbols.physical('init_level4_pgt') ??
      symbols.physical('swapper_pg_dir');
    const candidates = directMaps(memory, symbols).flatMap((directMap) => {
      const text = symbols.text ?? findImage(memory, symbols, directMap, tasks);
      if (text === undefined) return [];
      const image = [text, text + IMAGE_BYTES, iomem.kernelCode];
      return [new AddressSpace(memory, directMap, text, image, ramEnd, root)];
    });
    if (candidates.length === 0) {
      throw new KernelError(
        'symbols',
        'neither /proc/kallsyms nor a layout tells where the kernel image is',
        `run subflowd as root, with sysctl kernel.kptr_restrict=1; or ${MAKE_LAYOUT}`,
      );
    }
    return candidates;
  }

  /** Makes this candidate the one that reads go through. */
  activate(): void {
    this.memory.setLinearMap(this.#pieces);
  }

  /** Physical address of a kernel virtual address, or undefined if none is there. */
  physical(address: bigint): bigint | undefined {
    return this.memory.physical(address) ?? this.#tables?.physical(address);
  }

  /** Reads one stretch, wherever it lies; false if a part of it is not there. */
  read(address: bigint, out: Uint8Array): boolean {
    for (let done = 0; done < out.length;) {
      const at = address + BigInt(done);
      const piece = Math.min(out.length - done, Number(PAGE - (at % PAGE)));
      const physical = this.physical(at);
      if (physical === undefined || !this.memory.readPhysical(physical, out.subarray(done, done + piece))) {
        return false;
      }
      done += piece;
    }
    return true;
  }

  /** One pointer, or undefined if it cannot be read. */
  pointer(address: bigint): bigint | undefined {
    const word = new BigUint64Array(1);
    return this.read(address, new Uint8Array(word.buffer)) ? word[0] : undefined;
  }

  /**
   * The same members of many structures in one pass; over a column of the last pass, if one is given.
   * @param beside gets other members of the same structures.
   */
  gather(addresses: BigUint64Array, shape: Shape, into = new Column(shape), beside?: Column): Column {
    return into.read(this.memory, addresses, beside);
  }

  /** Whether all rows of these columns, see {@link Column.rows}, are as they were read. */
  holds(columns: readonly GatheredRows[number][]): boolean {
    return this.memory.hold(...columns);
  }

  /** Reads a column again. Returns whether any row is not as it was. */
  gatherAgain(column: Column): boolean {
    return column.readAgain(this.memory);
  }

  /** The nodes of a circular list but its head, and a member of each (its offset from the node), bounded by `limit`. */
  follow(
    head: bigint,
    { offset, size }: Field,
    limit: number,
  ): { nodes: BigUint64Array; members: DataView; end: ListEnd } {
    const out = new Uint8Array(limit * size);
    const nodes = new BigUint64Array(limit);
    const { count, end } = this.memory.follow(head, 0, offset, size, out, nodes);
    return { nodes: nodes.subarray(0, count), members: new DataView(out.buffer), end };
  }
}

/** The same number of bytes from each of these addresses. */
export function shifted(addresses: BigUint64Array, bytes: number): BigUint64Array {
  const all = new BigUint64Array(addresses.length);
  const by = BigInt(bytes);
  // so written, V8 makes no bigint of it
  for (let at = 0; at < all.length; at++) all[at] = BigInt.asUintN(64, (addresses[at] as bigint) + by);
  return all;
}

function directMaps(memory: NativeMemory, symbols: ImageSymbols): readonly DirectMap[] {
  const symbol = symbols.physical('page_offset_base');
  if (symbol === undefined) return FIXED_DIRECT_MAPS;
  const base = wordAt(memory, symbol);
  if (base === undefined) throw new KernelError('address translation', 'page_offset_base cannot be read');
  // The upper half of a five-level address space starts at 0xff00_0000_0000_0000, of a four-level one far above.
  return [{ base, levels: base < 0xffff_8000_0000_0000n ? 5 : 4 }];
}

/**
 * The image's start where the kernel does not tell it: init_task is found by its physical address, its neighbour on the
 * ring of tasks by the direct map, and that one points back at init_task's virtual address.
 */
function findImage(
  memory: NativeMemory,
  symbols: ImageSymbols,
  { base }: DirectMap,
  tasks: Field,
): bigint | undefined {
  const [physical, offset] = [symbols.physical('init_task'), symbols.offset('init_task')];
  if (physical === undefined || offset === undefined) return undefined;
  const [head, toPrev] = [BigInt(tasks.offset), 8n];
  const next = wordAt(memory, physical + head);
  const back = next === undefined || next < base ? undefined : wordAt(memory, next - base + toPrev);
  const text = (back ?? 0n) - head - offset;
  return text >= IMAGE_SPACE && text % IMAGE_ALIGN === 0n ? text : undefined;
}

function wordAt(memory: NativeMemory, physical: bigint): bigint | undefined {
  const word = new BigUint64Array(1);
  return memory.readPhysical(physical, new Uint8Array(word.buffer)) ? word[0] : undefined;
}
