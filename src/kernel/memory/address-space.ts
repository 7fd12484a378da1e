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
/** The largest size of the kernel image (arch/x86/include/asm/page_64_types.h, KERNEL_IMAGE_SIZE). */
const IMAGE_BYTES = 1n << 30n;
/** The kernel image lies in the last 2 GiB (Documentation/arch/x86/x86_64/mm.rst). */
const IMAGE_SPACE = 0xffff_ffff_8000_0000n;
/** Where the direct map starts without CONFIG_RANDOMIZE_MEMORY: first since Linux 4.20, then before it (same document). */
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

/** The virtual addresses of the kernel, read through physical memory. */
export class AddressSpace {
  readonly #tables: PageTables | undefined;
  readonly #pieces: BigUint64Array;

  private constructor(
    private readonly memory: NativeMemory,
    readonly directMap: DirectMap,
    /** Virtual address at which the kernel image starts. */
    readonly text: bigint,
    image: readonly bigint[],
    ramEnd: bigint,
    root: bigint | undefined,
  ) {
    this.#pieces = BigUint64Array.from([directMap.base, directMap.base + ramEnd, 0n, ...image]);
    this.#tables = root === undefined ? undefined : new PageTables(memory, root, directMap.levels);
  }

  /**
   * The possible address spaces of a running kernel, the likeliest first. Only a walk proves which of them is right.
   * @param tasks `task_struct.tasks`. It helps to find the image if the kernel does not report where it is.
   * @throws {KernelError} if there is none.
   */
  static candidates(memory: NativeMemory, symbols: ImageSymbols, iomem: Iomem, tasks: Field): AddressSpace[] {
    const ramEnd = iomem.systemRam.reduce((most, { end }) => (end > most ? end : most), 0n);
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
    this.memory.setLinearMap(this.#pieces);
  }

  /** The physical address of a kernel virtual address, or undefined if it is not mapped. */
  toPhysical(address: bigint): bigint | undefined {
    return this.memory.toPhysical(address) ?? this.#tables?.toPhysical(address);
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
   * @param beside a table that reads other members of the same structures.
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
  const all = new BigUint64Array(addresses.length);
  const by = BigInt(bytes);
  // V8 compiles this form to 64-bit arithmetic and allocates no bigint
  for (let at = 0; at < all.length; at++) all[at] = BigInt.asUintN(64, (addresses[at] as bigint) + by);
  return all;
}

function findDirectMaps(memory: NativeMemory, symbols: ImageSymbols): readonly DirectMap[] {
  const symbol = symbols.physicalAddress('page_offset_base');
  if (symbol === undefined) return FIXED_DIRECT_MAPS;
  const base = readWord(memory, symbol);
  if (base === undefined) throw new KernelError('address translation', 'page_offset_base cannot be read');
  // With five levels the upper half of the address space starts at 0xff00_0000_0000_0000, with four levels far above.
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
  const [head, toPrev] = [BigInt(tasks.offset), 8n];
  const next = readWord(memory, physical + head);
  const back = next === undefined || next < base ? undefined : readWord(memory, next - base + toPrev);
  const text = (back ?? 0n) - head - offset;
  return text >= IMAGE_SPACE && text % IMAGE_ALIGN === 0n ? text : undefined;
}

function readWord(memory: NativeMemory, physical: bigint): bigint | undefined {
  const word = new BigUint64Array(1);
  return memory.readPhysical(physical, new Uint8Array(word.buffer)) ? word[0] : undefined;
}
