import { readFile } from 'node:fs/promises';

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
] as const;

/**
 * The wanted symbols of a file in the format of `/proc/kallsyms`. Symbols whose address is shown as 0
 * (`kptr_restrict`) are left out; those of modules as well.
 */
export async function readKallsyms(path = '/proc/kallsyms'): Promise<Symbols> {
  // Some megabytes and a hundred thousand lines: searched as bytes, which a line-by-line reader takes far longer for.
  const text = await readFile(path);
  const symbols = new Map<string, bigint>();
  for (const name of WANTED_SYMBOLS) {
    const at = text.indexOf(` ${name}\n`, 0, 'latin1');
    if (at < 0) continue;
    const line = text.toString('latin1', text.lastIndexOf('\n', at) + 1, at);
    const address = BigInt(`0x${line.slice(0, line.indexOf(' '))}`);
    if (address !== 0n) symbols.set(name, address);
  }
  return symbols;
}
