import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

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
  const wanted = new Set<string>(WANTED_SYMBOLS);
  const symbols = new Map<string, bigint>();
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const name = line.slice(line.indexOf(' ', 17) + 1);
    if (!wanted.has(name) || symbols.has(name)) continue;
    const address = BigInt(`0x${line.slice(0, line.indexOf(' '))}`);
    if (address !== 0n) symbols.set(name, address);
    if (symbols.size === wanted.size) break;
  }
  return symbols;
}
