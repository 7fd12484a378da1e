import { readFile } from 'node:fs/promises';
import { KernelError } from '../../model/kernel-error.js';

/** Kernel symbols by name, virtual addresses. */
export type Symbols = ReadonlyMap<string, bigint>;

/** Everything this program looks up; several names of one thing are the names it had over the years. */
export const WANTED_SYMBOLS = [
  '_text',
  '_stext',
  'init_task',
  'page_offset_base',
  'init_top_pgt',
  'init_level4_pgt',
  'swapper_pg_dir',
  'usercopy_abort',
] as const;

export type WantedSymbol = (typeof WANTED_SYMBOLS)[number];

/** The image starts at a multiple of this, whatever KASLR does (CONFIG_PHYSICAL_ALIGN). */
export const IMAGE_ALIGN = 1n << 21n;

/**
 * The wanted symbols of a text in the format of `/proc/kallsyms` and System.map. Symbols whose address is shown as 0
 * (`kptr_restrict`) are left out; those of modules as well.
 */
export function parseSymbols(text: Buffer): Symbols {
  // Some megabytes and a hundred thousand lines: searched as bytes, which a line-by-line reader takes far longer for.
  const symbols = new Map<string, bigint>();
  for (const name of WANTED_SYMBOLS) {
    const at = text.indexOf(` ${name}\n`, 0, 'latin1');
    if (at < 0) continue;
    const line = text.toString('latin1', text.lastIndexOf('\n', at) + 1, at);
    const address = /^([0-9a-f]{1,16}) \w$/.exec(line)?.[1];
    if (address !== undefined && BigInt(`0x${address}`) !== 0n) symbols.set(name, BigInt(`0x${address}`));
  }
  return symbols;
}

/** What the running kernel tells of its symbols; none where it was built without CONFIG_KALLSYMS. */
export async function readKallsyms(path = '/proc/kallsyms'): Promise<Symbols> {
  try {
    return parseSymbols(await readFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
}

/**
 * Where the running kernel's symbols lie: as it tells itself (`/proc/kallsyms`), else as its build says (a layout's
 * symbols), moved to where the image was loaded. Without CONFIG_KALLSYMS_ALL a kernel tells of its code only; with
 * kptr_restrict of nothing.
 */
export class ImageSymbols {
  /**
   * @param kernelCode physical address of `_text`.
   * @throws {KernelError} if the two contradict each other.
   */
  constructor(
    private readonly running: Symbols,
    private readonly linked: Symbols,
    private readonly kernelCode: bigint,
  ) {
    for (const name of WANTED_SYMBOLS) {
      const [here, there] = [this.#offsetIn(running, name), this.#offsetIn(linked, name)];
      if (here !== undefined && there !== undefined && here !== there) {
        throw new KernelError(
          'symbols',
          `${name} is 0x${here.toString(16)} behind the image's start by /proc/kallsyms, 0x${there.toString(16)} by the layout`,
          'make the layout anew, from the vmlinux and the System.map of the running kernel',
        );
      }
    }
  }

  /** Virtual address of the image's start (`_text`), if the kernel tells. */
  get text(): bigint | undefined {
    return startOf(this.running);
  }

  /** How far behind the image's start the symbol lies, bytes. */
  offset(name: WantedSymbol): bigint | undefined {
    return this.#offsetIn(this.running, name) ?? this.#offsetIn(this.linked, name);
  }

  physical(name: WantedSymbol): bigint | undefined {
    const offset = this.offset(name);
    return offset === undefined ? undefined : this.kernelCode + offset;
  }

  #offsetIn(symbols: Symbols, name: WantedSymbol): bigint | undefined {
    const [start, address] = [startOf(symbols), symbols.get(name)];
    return start === undefined || address === undefined ? undefined : address - start;
  }
}

/** Older kernels do not show `_text`; `_stext` stands some hundred bytes behind it. */
function startOf(symbols: Symbols): bigint | undefined {
  const [text, stext] = [symbols.get('_text'), symbols.get('_stext')];
  return text ?? (stext === undefined ? undefined : stext - (stext % IMAGE_ALIGN));
}
