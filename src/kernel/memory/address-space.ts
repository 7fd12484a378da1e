import type { ListEnd, NativeMemory, NativeTable } from '../../native/addon.js';
import { KernelError } from '../../model/kernel-error.js';
import type { Field } from '../layout/layout.js';
import { MAKE_LAYOUT } from '../layout/layout-file.js';
import { IMAGE_ALIGN, type ImageSymbols } from '../layout/symbols.js';
import type { FieldSelection } from './field-selection.js';
import { FieldTable } from './field-table.js';
import type { Iomem } from './iomem.js';
import { PageTables } from './page-tables.js';

const PAGE = 4096n;
/** The offset of `prev` in a `list_head`: `next` comes first. */
const PREV = 8n;
/** The largest size of the kernel image (arch/x86/include/asm/page_64_types.h, KERNEL_IMAGE_SIZE). */
const IMAGE_BYTES = 1n << 30n;
/** The kernel image lies in the last 2 GiB (Documentation/arch/x86/x86_64/mm.rst). */
const IMAGE_SPACE = 0xffff_ffff_8000_0000n;
/**
 * Where the direct map starts without CONFIG_RANDOMIZE_MEMORY (same document). The first two are those of Linux 4.20 and
 * later, the last two those of earlier versions.
 */
const FIXED_DIRECT_MAPS = [
  { base: 0xffff_8880_0000_0000n, levels: 4 },
  { base: 0xff11_0000_0000_0000n, levels: 5 },
  { base: 0xffff_8800_0000_0000n, levels: 4 },
  { base: 0xff10_0000_0000_0000n, levels: 5 },
] as const;

/** A possible direct map: its first virtual address, and the number of page-table levels that go with it. */
export interface DirectMap {
  readonly base: bigint;
  readonly levels: 4 | 5;
}

/** The part of an address space that reads tables: see {@link AddressSpace.gather}. */
export type Gatherer = Pick<AddressSpace, 'gather'>;

/**
 * Reads virtual addresses of the kernel through physical memory. Most addresses are in one of two linear maps: the direct
 * map of all RAM, and the kernel image. For all others it walks the kernel's page tables.
 */
export class AddressSpace {
  readonly #pageTables: PageTables | undefined;
  /** The two linear maps, as `setLinearMap` of the addon takes them. */
  readonly #linearMaps: BigUint64Array;

  /**
   * @param image the map of the kernel image: [virtual start, virtual end, physical start].
   * @param ramEnd the first physical address after all RAM.
   * @param root the physical address of the top-level page table; undefined if it is not known.
   */
  private constructor(
    private readonly memory: NativeMemory,
    readonly directMap: DirectMap,
    /** Virtual address at which the kernel image starts. */
    readonly text: bigint,
    image: readonly bigint[],
    ramEnd: bigint,
    root: bigint | undefined,
  ) {
    this.#linearMaps = BigUint64Array.from([directMap.base, directMap.base + ramEnd, 0n, ...image]);
    this.#pageTables = root === undefined ? undefined : new PageTables(memory, root, directMap.levels);
  }

  /**
   * The possible address spaces of a running kernel, the likeliest first. Only a walk proves which of them is right.
   * @param tasks `task_struct.tasks`. It helps to find the image if the kernel does not report where it is.
   * @throws {KernelError} if there is none.
   */
  static candidates(memory: NativeMemory, symbols: ImageSymbols, iomem: Iomem, tasks: Field): AddressSpace[] {
    const ramEnd = iomem.systemRam.reduce((last, { end }) => (end > last ? end : last), 0n);
    // names of one table in different versions
    const root =
      symbols.physicalAddress('init_top_pgt') ??
      symbols.physicalAddress('init_level4_pgt') ??
      symbols.physicalAddress('swapper_pg_dir');
    const candidates = findDirectMaps(memory, symbols).flatMap((directMap) => {
      const text = symbols.text ?? findImage(memory, symbols, directMap, tasks);
      if (text === undefined) return [];
      const image = [text, text + IMAGE_BYTES, iomem.kernelCode];
      return [new AddressSpace(memory, directMap, text, image, ramEnd, root)];
    });
    if (candidates.length === 0) {
      throw new KernelError(
        'symbols',
        'neither /proc/kallsyms nor a layout says where the kernel image is',
        `run subflowd as root, with sysctl kernel.kptr_restrict=1; or ${MAKE_LAYOUT}`,
      );
    }
    return candidates;
  }

  /** Makes all reads use this candidate. */
  activate(): void {
    this.memory.setLinearMap(this.#linearMaps);
  }

  /** The physical address of a kernel virtual address, or undefined if it is not mapped. */
  toPhysical(address: bigint): bigint | undefined {
    return this.memory.toPhysical(address) ?? this.#pageTables?.toPhysical(address);
  }

  /** Reads `out.length` bytes, which may be in several pages. Returns false if a part of them cannot be read. */
  read(address: bigint, out: Uint8Array): boolean {
    for (let done = 0; done < out.length;) {
      const at = address + BigInt(done);
      const length = Math.min(out.length - done, Number(PAGE - (at % PAGE)));
      const physical = this.toPhysical(at);
      if (physical === undefined || !this.memory.readPhysical(physical, out.subarray(done, done + length))) {
        return false;
      }
      done += length;
    }
    return true;
  }

  /** Reads one pointer. Returns undefined if it cannot be read. */
  readPointer(address: bigint): bigint | undefined {
    const word = new BigUint64Array(1);
    return this.read(address, new Uint8Array(word.buffer)) ? word[0] : undefined;
  }

  /**
   * Reads the selected members of many structures in one native call.
   * @param into the table of an earlier call, if there is one: it then reports which rows have not changed.
   * @param beside another table of the same structures, which the same call also reads.
   */
  gather(
    addresses: BigUint64Array,
    selection: FieldSelection,
    into = new FieldTable(selection),
    beside?: FieldTable,
  ): FieldTable {
    return into.read(this.memory, addresses, beside);
  }

  /** Whether memory still has every row of these tables. @param tables the {@link FieldTable.native} of each. */
  isUnchanged(tables: readonly NativeTable[number][]): boolean {
    return this.memory.isUnchanged(...tables);
  }

  /** Reads a table again. Returns whether any row changed. */
  gatherAgain(table: FieldTable): boolean {
    return table.readAgain(this.memory);
  }

  /**
   * Walks a circular list, without its head.
   * @param member one member to read of each node; its offset is from the node.
   * @param limit the largest number of nodes.
   */
  walkList(
    head: bigint,
    { offset, size }: Field,
    limit: number,
  ): { nodes: BigUint64Array; members: DataView; end: ListEnd } {
    const out = new Uint8Array(limit * size);
    const nodes = new BigUint64Array(limit);
    const { count, end } = this.memory.walkList(head, 0, offset, size, out, nodes);
    return { nodes: nodes.subarray(0, count), members: new DataView(out.buffer), end };
  }
}

/** Adds an offset in bytes, which may be negative, to each address. */
export function addOffset(addresses: BigUint64Array, bytes: number): BigUint64Array {
  const sums = new BigUint64Array(addresses.length);
  const offset = BigInt(bytes);
  // V8 compiles this form to 64-bit arithmetic, and allocates no bigint.
  for (let index = 0; index < sums.length; index++) {
    sums[index] = BigInt.asUintN(64, (addresses[index] as bigint) + offset);
  }
  return sums;
}

function findDirectMaps(memory: NativeMemory, symbols: ImageSymbols): readonly DirectMap[] {
  const symbol = symbols.physicalAddress('page_offset_base');
  if (symbol === undefined) return FIXED_DIRECT_MAPS;
  const base = readWord(memory, symbol);
  if (base === undefined) throw new KernelError('address translation', 'page_offset_base cannot be read');
  // The kernel's half of the address space starts at 0xffff_8000_0000_0000 with four levels, and below that with five.
  return [{ base, levels: base < 0xffff_8000_0000_0000n ? 5 : 4 }];
}

/**
 * Finds the virtual start of the image if the kernel does not report it. The physical address of init_task is known. Its
 * next task is in the direct map, and the `prev` pointer of that task is the virtual address of init_task.
 */
function findImage(
  memory: NativeMemory,
  symbols: ImageSymbols,
  { base }: DirectMap,
  tasks: Field,
): bigint | undefined {
  const [physical, offset] = [symbols.physicalAddress('init_task'), symbols.offset('init_task')];
  if (physical === undefined || offset === undefined) return undefined;
  const tasksOffset = BigInt(tasks.offset);
  const next = readWord(memory, physical + tasksOffset);
  if (next === undefined || next < base) return undefined;
  const prev = readWord(memory, next - base + PREV);
  if (prev === undefined) return undefined;
  const text = prev - tasksOffset - offset;
  return text >= IMAGE_SPACE && text % IMAGE_ALIGN === 0n ? text : undefined;
}

function readWord(memory: NativeMemory, physical: bigint): bigint | undefined {
  const word = new BigUint64Array(1);
  return memory.readPhysical(physical, new Uint8Array(word.buffer)) ? word[0] : undefined;
}
