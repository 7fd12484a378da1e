import { readFile } from 'node:fs/promises';
import { loadAddon, type Access, type NativeMemory } from '../native/addon.js';
import { AddressSpace } from './memory/address-space.js';
import { Btf } from './layout/btf.js';
import { parseIomem } from './memory/iomem.js';
import { KernelError, RUN_AS_ROOT } from '../model/kernel-error.js';
import { Layout, layoutFromBtf } from './layout/layout.js';
import { MAKE_LAYOUT, readLayout } from './layout/layout-file.js';
import { ImageSymbols, readKallsyms, type Symbols } from './layout/symbols.js';
import { Tasks } from './walk/task.js';

/** Where everything about a kernel is read from; tests give an image's files instead of the host's. */
export interface KernelSources {
  readonly memory: string;
  readonly iomem: string;
  readonly kallsyms: string;
  readonly btf: string;
  readonly notes: string;
}

/** The running kernel's own. */
export const HOST_SOURCES: KernelSources = {
  memory: '/dev/mem',
  iomem: '/proc/iomem',
  kallsyms: '/proc/kallsyms',
  btf: '/sys/kernel/btf/vmlinux',
  notes: '/sys/kernel/notes',
};

export interface OpenOptions {
  /** `auto`, the default: mapped where the kernel allows it. */
  readonly access?: Access | 'auto';
  /** True by default; without it a commit is refused. */
  readonly writable?: boolean;
  /** `btf`, the default: the kernel's own in `sources.btf`; else a layout's file, or a layout. */
  readonly layout?: string | Layout;
}

/** A kernel whose memory is open and whose way from symbols to tasks has been proved. */
export interface OpenKernel {
  readonly memory: NativeMemory;
  readonly space: AddressSpace;
  readonly layout: Layout;
  /** Where the layout is from, for an admin. */
  readonly origin: string;
  readonly tasks: Tasks;
  /** Whether what is copied into the kernel's objects is checked (CONFIG_HARDENED_USERCOPY since Linux 4.16). */
  readonly checksCopies: boolean;
  /** What proved the address translation, for an admin. */
  readonly proof: string;
}

/**
 * Opens a kernel's memory and finds the way to its tasks.
 * @throws {KernelError} naming the step that failed and what mends it.
 */
export async function openKernel(
  sources: KernelSources = HOST_SOURCES,
  { access = 'auto', writable = true, layout: wanted = 'btf' }: OpenOptions = {},
): Promise<OpenKernel> {
  const { layout, symbols: linked, origin } = await layoutOf(sources, wanted);
  const iomem = parseIomem(await readFile(sources.iomem, 'utf8'));
  const symbols = new ImageSymbols(await readKallsyms(sources.kallsyms), linked, iomem.kernelCode);
  const ranges = BigUint64Array.from(iomem.systemRam.flatMap(({ start, end }) => [start, end]));
  const memory = openMemory(sources.memory, ranges, access, writable);
  try {
    const offset = symbols.offset('init_task');
    if (offset === undefined) {
      throw new KernelError(
        'symbols',
        '/proc/kallsyms does not show init_task (CONFIG_KALLSYMS_ALL=n, or kernel.kptr_restrict=2)',
        MAKE_LAYOUT,
      );
    }
    const candidates = AddressSpace.candidates(memory, symbols, iomem, layout.field('task_struct', 'tasks'));
    // the function that such a kernel ends in (mm/usercopy.c), in older and other ones absent
    const checksCopies = symbols.offset('usercopy_abort') !== undefined;
    return { memory, layout, origin, checksCopies, ...prove(memory, layout, offset, candidates) };
  } catch (error) {
    memory.close();
    throw error;
  }
}

/** A layout, where it is from, and the symbols that came with it. */
async function layoutOf(
  sources: KernelSources,
  wanted: string | Layout,
): Promise<{ layout: Layout; symbols: Symbols; origin: string }> {
  if (wanted instanceof Layout) return { layout: wanted, symbols: new Map(), origin: 'given' };
  if (wanted !== 'btf') {
    const { layout, symbols, release, buildId } = await readLayout(wanted, sources.notes);
    return { layout, symbols, origin: `${wanted}, of ${release}, build-id ${buildId}` };
  }
  const layout = layoutFromBtf(new Btf(await readBtf(sources.btf)));
  return { layout, symbols: new Map(), origin: sources.btf };
}

async function readBtf(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new KernelError(
      'layout',
      `this kernel does not describe its structures: ${path} cannot be read (${(error as Error).message})`,
      `boot a kernel with CONFIG_DEBUG_INFO_BTF=y, or ${MAKE_LAYOUT}`,
      { cause: error },
    );
  }
}

function openMemory(
  path: string,
  ranges: BigUint64Array,
  access: Access | 'auto',
  writable: boolean,
): NativeMemory {
  const { PhysicalMemory } = loadAddon();
  try {
    return new PhysicalMemory(path, ranges, access, writable);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    const remedy =
      code === 'EMAP'
        ? 'boot with the kernel parameter nopat'
        : `${RUN_AS_ROOT}; it takes a kernel with CONFIG_DEVMEM=y, CONFIG_STRICT_DEVMEM=n and no lockdown`;
    throw new KernelError('memory', message, remedy, { cause: error });
  }
}

/**
 * @param initTask how far behind the image's start init_task lies.
 * The first candidate through which the ring of tasks closes with PID 1 in it is the right one. */
function prove(
  memory: NativeMemory,
  layout: Layout,
  initTask: bigint,
  candidates: readonly AddressSpace[],
): { space: AddressSpace; tasks: Tasks; proof: string } {
  const failures: string[] = [];
  for (const space of candidates) {
    space.activate();
    const tasks = new Tasks(space, layout, space.text + initTask);
    const base = `the direct map at 0x${space.directMap.base.toString(16)}`;
    try {
      const all = tasks.all();
      if (!all.some(({ pid }) => pid === 1)) throw new KernelError('task', 'PID 1 is not on the list');
      return {
        space,
        tasks,
        proof: `${base}, ${space.directMap.levels} page-table levels: the ring of ${all.length} tasks closes, PID 1 is on it`,
      };
    } catch (error) {
      failures.push(`${base}: ${(error as Error).message}`);
    }
  }
  throw new KernelError(
    'address translation',
    `no candidate leads to the tasks: ${failures.join('; ')}`,
    // what reading RAM comes to on a strict kernel
    memory.access === 'bytes' ? 'boot a kernel with CONFIG_STRICT_DEVMEM=n and without lockdown' : undefined,
  );
}
