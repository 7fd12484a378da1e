import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa, ExecaError } from 'execa';
import { whyUnreadable } from '../../util/denied.js';
import { readRegularFile } from '../../util/regular-file.js';
import { Btf } from './btf.js';
import { buildIdOf } from './build-id.js';
import { KernelError } from '../../model/kernel-error.js';
import { layoutFromBtf } from './layout.js';
import type { LayoutFile } from './layout-file.js';
import { mptcpNameOf } from './mptcp-name.js';
import { parseSymbols, type Symbols } from './symbols.js';
import { Vmlinux } from './vmlinux.js';

/** A distribution's System.map has about 8 MiB. */
export const MAX_SYSTEM_MAP_BYTES = 1 << 28;

const BANNER = /Linux version (\d\S*) \(/;

/** The files of a kernel build from which a layout is made. */
export interface LayoutInputs {
  /** The uncompressed kernel of the build, with debug information. */
  readonly vmlinux: string;
  /** The System.map of the build, for a vmlinux without symbols. */
  readonly systemMap?: string;
  /** Called before a step that takes long, with a description of the step. */
  readonly progress: (what: string) => void;
}

/**
 * Makes the layout of a kernel build. The structures come from the BTF of the vmlinux. If it has none, `pahole` makes BTF
 * from its DWARF, which takes about a minute for a distribution's kernel.
 * @throws {KernelError} if the vmlinux lacks something that a layout needs, or has no MPTCP.
 */
export async function makeLayout({ vmlinux, systemMap, progress }: LayoutInputs): Promise<LayoutFile> {
  const file = await Vmlinux.open(vmlinux);
  try {
    const notes = (await file.section('.notes')) ?? (await file.section('.note.gnu.build-id'));
    const buildId = notes && buildIdOf(notes);
    if (buildId === undefined) {
      throw new KernelError(
        'layout',
        `${vmlinux} has no build-id, which shows that a layout belongs to the running kernel`,
        'build the kernel with a linker that makes one (ld --build-id)',
      );
    }
    const release = BANNER.exec(((await file.section('.rodata')) ?? Buffer.alloc(0)).toString('latin1'))?.[1];
    const symbols = await symbolsOf(file, systemMap);
    const btf = (await file.section('.BTF')) ?? (await btfOf(vmlinux, progress));
    const layout = layoutFromBtf(new Btf(btf));
    mptcpNameOf(layout, vmlinux, 'give the vmlinux of a kernel with CONFIG_MPTCP=y');
    return { release: release ?? 'unknown', buildId, symbols, layout };
  } finally {
    await file.close();
  }
}

async function symbolsOf(file: Vmlinux, systemMap: string | undefined): Promise<Symbols> {
  const own = await file.symbols();
  const symbols = systemMap === undefined ? own : parseSymbols(await readSystemMap(systemMap));
  for (const [name, address] of own) {
    const other = symbols.get(name);
    if (other === undefined || other === address) continue;
    throw new KernelError(
      'symbols',
      `${name} is at 0x${address.toString(16)} in ${file.path}, at 0x${other.toString(16)} in ${systemMap ?? ''}: ` +
        'these files are from different builds',
    );
  }
  if (!symbols.has('init_task') || !(symbols.has('_text') || symbols.has('_stext'))) {
    throw new KernelError(
      'symbols',
      `${systemMap ?? file.path} does not have the symbols _text and init_task`,
      "give the build's System.map with --system-map",
    );
  }
  return symbols;
}

/**
 * @internal
 * @throws {KernelError} with the name of the file, if it cannot be read or is larger than 256 MiB.
 */
export async function readSystemMap(file: string): Promise<Buffer> {
  try {
    return await readRegularFile(file, MAX_SYSTEM_MAP_BYTES);
  } catch (error) {
    throw new KernelError('symbols', whyUnreadable(file, error), "give the build's System.map", {
      cause: error,
    });
  }
}

/** Converts the DWARF of a vmlinux to BTF. */
async function btfOf(vmlinux: string, progress: (what: string) => void): Promise<Buffer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'subflowd-layout-'));
  const btf = path.join(directory, 'btf');
  try {
    progress(`reading the debug information of ${vmlinux} with pahole`);
    await execa('pahole', [`--btf_encode_detached=${btf}`, vmlinux], { stdin: 'ignore' });
    return await readFile(btf);
  } catch (error) {
    if (!(error instanceof ExecaError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT' && error instanceof ExecaError;
    const reason = error instanceof ExecaError ? error.shortMessage : 'pahole wrote nothing';
    throw new KernelError(
      'layout',
      `pahole finds no structures in ${vmlinux}: ${reason}`,
      isMissing
        ? 'apt-get install dwarves'
        : 'give a vmlinux that was built with CONFIG_DEBUG_INFO=y and is not stripped; use pahole 1.22 or newer',
      { cause: error },
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}
