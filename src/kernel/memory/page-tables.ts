import type { NativeMemory } from '../../native/addon.js';

// arch/x86/include/asm/pgtable_types.h
const PRESENT = 1n;
/** _PAGE_PSE: the entry is a page of 2 MiB or 1 GiB, and not a table of the next level. */
const HUGE = 1n << 7n;
const ADDRESS = 0x000f_ffff_ffff_f000n;
const PAGE_BITS = 12n;
const INDEX_BITS = 9n;

/** The kernel's page tables on x86_64, for addresses outside of the linear mappings (vmalloc). */
export class PageTables {
  /**
   * @param root physical address of the top-level table.
   * @param levels 5 if the kernel uses LA57, otherwise 4.
   */
  constructor(
    private readonly memory: NativeMemory,
    private readonly root: bigint,
    private readonly levels: 4 | 5,
  ) {}

  /** The physical address, or undefined if the page is not present. Handles pages of 4 KiB, 2 MiB and 1 GiB. */
  toPhysical(address: bigint): bigint | undefined {
    let table = this.root;
    for (let level = BigInt(this.levels); level > 0n; level--) {
      const shift = PAGE_BITS + INDEX_BITS * (level - 1n);
      const index = (address >> shift) & ((1n << INDEX_BITS) - 1n);
      const entry = this.#read(table + index * 8n);
      if (entry === undefined || (entry & PRESENT) === 0n) return undefined;
      const isHuge = (level === 2n || level === 3n) && (entry & HUGE) !== 0n;
      if (level === 1n || isHuge) {
        const within = (1n << shift) - 1n;
        return (entry & ADDRESS & ~within) + (address & within);
      }
      table = entry & ADDRESS;
    }
    return undefined;
  }

  #read(address: bigint): bigint | undefined {
    const word = new BigUint64Array(1);
    return this.memory.readPhysical(address, new Uint8Array(word.buffer)) ? word[0] : undefined;
  }
}
