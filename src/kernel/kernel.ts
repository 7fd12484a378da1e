import { readFile } from 'node:fs/promises';
import { loadAddon, type Access, type NativeMemory } from './addon.js';
import { AddressSpace } from './address_space.js';
import { Btf } from './btf.js';
import { parseIomem } from './iomem.js';
import { readKallsyms, type Symbols } from './kallsyms.js';
import { KernelError } from './kernel_error.js';
import { layoutFromBtf, type Layout } from './layout.js';
import { Tasks } from './task.js';
import { UPSTREAM_MEMBERS } from './upstream.js';

/** Where everything about a kernel is read from; tests give an image's files instead of the host's. */
export interface KernelSources {
  readonly memory: string;
  readonly iomem: string;
  readonly kallsyms: string;
  readonly btf: string;
}

/** The running kernel's own. */
export const HOST_SOURCES: KernelSources = {
  memory: '/dev/mem',
  iomem: '/proc/iomem',
  kallsyms: '/proc/kallsyms',
  btf: '/sys/kernel/btf/vmlinux',
};

export interface OpenOptions {
  /** `auto`, the default: mapped where the kernel allows it. */
  readonly access?: Access | 'auto';
  /** True by default; without it a commit is refused. */
  readonly writable?: boolean;
  /** In place of the one in `sources.btf`. */
  readonly layout?: Layout;
}

/** A kernel whose memory is open and whose way from symbols to tasks has been proved. */
export interface OpenKernel {
  readonly memory: NativeMemory;
  readonly space: AddressSpace;
  readonly layout: Layout;
  readonly tasks: Tasks;
  /** What proved the address translation, for an admin. */
  readonly proof: string;
}

/**
 * Opens a kernel's memory and finds the way to its tasks.
 * @throws {KernelError} naming the step that failed and what mends it.
 */
export async function openKernel(
  sources: KernelSources = HOST_SOURCES,
  { access = 'auto', writable = true, layout: given }: OpenOptions = {},
): Promise<OpenKernel> {
  const layout = given ?? layoutFromBtf(new Btf(await readBtf(sources.btf)), UPSTREAM_MEMBERS);
  const iomem = parseIomem(await readFile(sources.iomem, 'utf8'));
  const symbols = await readKallsyms(sources.kallsyms);
  const ranges = BigUint64Array.from(iomem.systemRam.flatMap(({ start, end }) => [start, end]));
  const memory = openMemory(sources.memory, ranges, access, writable);
  try {
    return {
      memory,
      layout,
      ...prove(memory, layout, symbols, AddressSpace.candidates(memory, symbols, iomem)),
    };
  } catch (error) {
    memory.close();
    throw error;
  }
}

async function readBtf(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new KernelError(
      'layout',
      `this kernel does not describe its structures: ${path} cannot be read (${(error as Error).message})`,
      'use a kernel built with CONFIG_DEBUG_INFO_BTF=y',
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
        : 'run subflowd as root on a kernel with CONFIG_DEVMEM=y, CONFIG_STRICT_DEVMEM=n and no lockdown';
    throw new KernelError('memory', message, remedy, { cause: error });
  }
}

/** The first candidate through which the ring of tasks closes with PID 1 in it is the right one. */
function prove(
  memory: NativeMemory,
  layout: Layout,
  symbols: Symbols,
  candidates: readonly AddressSpace[],
): { space: AddressSpace; tasks: Tasks; proof: string } {
  const initTask = symbols.get('init_task');
  if (initTask === undefined) {
    throw new KernelError(
      'symbols',
      '/proc/kallsyms does not show init_task',
      'use a kernel built with CONFIG_KALLSYMS_ALL=y and run subflowd as root',
    );
  }
  const failures: string[] = [];
  for (const space of candidates) {
    space.activate();
    const tasks = new Tasks(space, layout, initTask);
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
