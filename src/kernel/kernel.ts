/*
 * How subflowd finds the subflows of an OpenVPN server in the memory of the kernel, and how it sets their priorities.
 *
 * The plain walk, as a drgn script would do it for one process of upstream Linux. Names are the kernel's; in brackets is the
 * file that does the step here.
 *
 *     task = find_task(prog, pid)                        # along init_task.tasks                      [walk/task.ts]
 *     fdt = task.files.fdt                               #                                            [walk/fd-table.ts]
 *     for fd in range(fdt.max_fds):
 *         file = fdt.fd[fd]
 *         if not S_ISSOCK(file.f_inode.i_mode):          #                                            [walk/sockets.ts]
 *             continue
 *         socket = container_of(file.f_inode, "struct socket_alloc", "vfs_inode").socket
 *         sk = socket.sk
 *         if sk.sk_state != TCP_ESTABLISHED:             # also both endpoints                        [walk/endpoint-table.ts]
 *             continue
 *         if sk.sk_protocol != IPPROTO_MPTCP:            # a client without MPTCP                     [walk/upstream.ts]
 *             continue
 *         msk = cast("struct mptcp_sock *", sk)
 *         for subflow in list_for_each_entry(            #                                            [walk/subflow-lists.ts]
 *             "struct mptcp_subflow_context", msk.conn_list, "node"
 *         ):
 *             ours, peers = subflow.request_bkup, subflow.backup
 *             endpoints(subflow.tcp_sock)
 *             counters(subflow.tcp_sock)                 # srtt_us, bytes_acked, ...                  [walk/counter-table.ts]
 *
 * On a kernel of multipath-tcp.org only the last part differs: tcp_sock.mpc marks a meta-socket, and tcp_sock.mpcb leads to
 * its subflows [walk/multipath-tcp-org.ts].
 *
 * Each member access in this script reads memory of a running kernel. `memory/` translates a virtual address to a physical
 * one and reads it through /dev/mem; `layout/` knows the offset of each member in this kernel build. The kernel changes its
 * memory during the walk. So every pointer is checked before use, every loop has a limit, and a walk that cannot go on ends in a
 * KernelError that names the step.
 *
 * The fast way takes the same steps in a different order, because a server can have thousands of sessions:
 *
 * 1. One step for all sockets at once. A FieldTable gathers the same members of many structures in one native call. While
 *    this call reads one structure, the processor already fetches the next ones. The lists of subflows are walked side by
 *    side: first the first node of each, then the second.
 * 2. A table that is read again knows which of its rows changed. For a connection without changed rows the walk returns the
 *    object that it made the last time [walk/connection-builder.ts].
 * 3. Most observations walk no step at all. A ReadSet keeps every table of the last walk, and one native call compares all
 *    of it with memory. If no word changed, a new walk would follow the same pointers to the same words. So only counters,
 *    which change all the time, are read again [walk/server-walk.ts].
 *
 * A walk must not mix two states of a list. The walk reads the pointers of a list first and the members of its nodes
 * afterwards. If these disagree, it invalidates the ReadSet, and the next observation walks again.
 *
 * To set a priority, `commit/` turns the pointers of the walk into guards: about thirty pairs of an address and the value that
 * was there. The native commit compares all of them again, and changes only the priority bits, and only if all values are
 * the same. The guards are kept, so a second commit to the same subflow needs no walk.
 */
import { readFile } from 'node:fs/promises';
import { loadAddon, type Access, type NativeMemory } from '../native/addon.js';
import { KernelError } from '../model/kernel-error.js';
import { Btf } from './layout/btf.js';
import { Layout, layoutFromBtf } from './layout/layout.js';
import { MAKE_LAYOUT, readLayout } from './layout/layout-file.js';
import { ImageSymbols, readKallsyms, type Symbols } from './layout/symbols.js';
import { AddressSpace } from './memory/address-space.js';
import { parseIomem, RUN_AS_ROOT } from './memory/iomem.js';
import { Tasks } from './walk/task.js';

/** The files that describe a kernel. Tests give the files of an image instead of the host's. */
export interface KernelSources {
  readonly memory: string;
  readonly iomem: string;
  readonly kallsyms: string;
  readonly btf: string;
  readonly notes: string;
}

/** The files of the running kernel. */
export const HOST_SOURCES: KernelSources = {
  memory: '/dev/mem',
  iomem: '/proc/iomem',
  kallsyms: '/proc/kallsyms',
  btf: '/sys/kernel/btf/vmlinux',
  notes: '/sys/kernel/notes',
};

/** Options of {@link openKernel}. */
export interface OpenOptions {
  /** `auto`, the default, maps memory if the kernel allows it. */
  readonly access?: Access | 'auto';
  /** True by default. If false, commits are refused. */
  readonly writable?: boolean;
  /** `btf`, the default, reads `sources.btf`. Otherwise the path of a layout file, or a layout. */
  readonly layout?: string | Layout;
}

/** A kernel whose memory is open, and for which a walk proved the address translation. */
export interface OpenKernel {
  readonly memory: NativeMemory;
  readonly space: AddressSpace;
  readonly layout: Layout;
  /** Where the layout comes from, for the admin. */
  readonly layoutOrigin: string;
  readonly tasks: Tasks;
  /** Whether the kernel checks copies into its objects (CONFIG_HARDENED_USERCOPY since Linux 4.16). */
  readonly hasHardenedUsercopy: boolean;
  /** How the address translation was proved, for the admin. */
  readonly proof: string;
}

/**
 * Opens a kernel's memory and finds its tasks.
 * @throws {KernelError} with the step that failed and, if known, how to fix it.
 */
export async function openKernel(
  sources: KernelSources = HOST_SOURCES,
  { access = 'auto', writable = true, layout: wanted = 'btf' }: OpenOptions = {},
): Promise<OpenKernel> {
  const { layout, symbols: linked, layoutOrigin } = await openLayout(sources, wanted);
  const iomem = parseIomem(await readFile(sources.iomem, 'utf8'));
  const running = await readKallsyms(sources.kallsyms, RUN_AS_ROOT);
  const symbols = new ImageSymbols(running, linked, iomem.kernelCode);
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
    // mm/usercopy.c has this function only with CONFIG_HARDENED_USERCOPY, and only since Linux 4.16
    const hasHardenedUsercopy = symbols.offset('usercopy_abort') !== undefined;
    const proved = findAddressSpace(memory, layout, offset, candidates);
    return { memory, layout, layoutOrigin, hasHardenedUsercopy, ...proved };
  } catch (error) {
    memory.close();
    throw error;
  }
}

/** Opens a layout, with the symbols of its build if it is a file. */
async function openLayout(
  sources: KernelSources,
  wanted: string | Layout,
): Promise<{ layout: Layout; symbols: Symbols; layoutOrigin: string }> {
  if (wanted instanceof Layout) return { layout: wanted, symbols: new Map(), layoutOrigin: 'given' };
  if (wanted !== 'btf') {
    const { layout, symbols, release, buildId } = await readLayout(wanted, sources.notes);
    return { layout, symbols, layoutOrigin: `${wanted}, of ${release}, build-id ${buildId}` };
  }
  const layout = layoutFromBtf(new Btf(await readBtf(sources.btf)));
  return { layout, symbols: new Map(), layoutOrigin: sources.btf };
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
 * Finds the right candidate: the first one with which the list of tasks is closed and contains PID 1.
 * @param initTask offset of init_task from the start of the image, bytes.
 * @throws {KernelError} if no candidate is right.
 */
function findAddressSpace(
  memory: NativeMemory,
  layout: Layout,
  initTask: bigint,
  candidates: readonly AddressSpace[],
): Pick<OpenKernel, 'space' | 'tasks' | 'proof'> {
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
        proof: `${base}, ${space.directMap.levels} page-table levels: the list of ${all.length} tasks closes and contains PID 1`,
      };
    } catch (error) {
      failures.push(`${base}: ${(error as Error).message}`);
    }
  }
  throw new KernelError(
    'address translation',
    `no candidate leads to the tasks: ${failures.join('; ')}`,
    // A strict kernel refuses to read RAM, which looks like this.
    memory.access === 'bytes' ? 'boot a kernel with CONFIG_STRICT_DEVMEM=n and without lockdown' : undefined,
  );
}
