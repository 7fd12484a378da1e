import { readFile } from 'node:fs/promises';
import { KernelError } from '../../model/kernel-error.js';

/** Virtual addresses of kernel symbols, by name. */
export type Symbols = ReadonlyMap<string, bigint>;

/**
 * Every symbol that this program uses. `init_top_pgt`, `init_level4_pgt` and `swapper_pg_dir` are names of the same page
 * table in different versions of Linux.
 */
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

/** A symbol that this program uses. */
export type WantedSymbol = (typeof WANTED_SYMBOLS)[number];

/** The image starts at a multiple of this, also with KASLR (CONFIG_PHYSICAL_ALIGN). */
export const IMAGE_ALIGN = 1n << 21n;

/**
 * Finds the wanted symbols in a text with the format of `/proc/kallsyms` and System.map. Leaves out symbols of modules, and
 * symbols with the address 0, which `kptr_restrict` causes.
 */
export function parseSymbols(text: Buffer): Symbols {
  // The text is megabytes long and has 100,000 lines. A search in the bytes is much faster than to read each line.
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

/**
 * Reads the symbols of the running kernel; none if it was built without CONFIG_KALLSYMS.
 * @param remedy what gives this process the right to read them.
 * @throws {KernelError} without that right: ProtectKernelTunables= of a unit takes it away.
 */
export async function readKallsyms(path = '/proc/kallsyms', remedy?: string): Promise<Symbols> {
  try {
    return parseSymbols(await readFile(path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return new Map();
    throw new KernelError('symbols', message, remedy, { cause: error });
  }
}

/**
 * The symbols of the running kernel: those that it reports (`/proc/kallsyms`), and else those of its build (from a layout),
 * relocated to the address at which the image was loaded. Without CONFIG_KALLSYMS_ALL a kernel reports symbols of code only;
 * with kptr_restrict it reports none.
 */
export class ImageSymbols {
  /**
   * @param running from `/proc/kallsyms`.
   * @param linked from a layout.
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
          `the offset of ${name} in the image is 0x${here.toString(16)} in /proc/kallsyms, but 0x${there.toString(16)} in the layout`,
          'make a new layout from the vmlinux and the System.map of the running kernel',
        );
      }
    }
  }

  /** Virtual address at which the image starts (`_text`), or undefined if the kernel does not report it. */
  get text(): bigint | undefined {
    return startOf(this.running);
  }

  /** Bytes from the start of the image to the symbol. */
  offset(name: WantedSymbol): bigint | undefined {
    return this.#offsetIn(this.running, name) ?? this.#offsetIn(this.linked, name);
  }

  /** Physical address of the symbol. */
  physicalAddress(name: WantedSymbol): bigint | undefined {
    const offset = this.offset(name);
    return offset === undefined ? undefined : this.kernelCode + offset;
  }

  #offsetIn(symbols: Symbols, name: WantedSymbol): bigint | undefined {
    const [start, address] = [startOf(symbols), symbols.get(name)];
    return start === undefined || address === undefined ? undefined : address - start;
  }
}

/** The address of the image. Older kernels do not report `_text`; `_stext` is a few hundred bytes after it. */
function startOf(symbols: Symbols): bigint | undefined {
  const [text, stext] = [symbols.get('_text'), symbols.get('_stext')];
  return text ?? (stext === undefined ? undefined : stext - (stext % IMAGE_ALIGN));
}
