import type { BackendName } from '../model/backend-name.js';
import type { Check } from '../model/check.js';
import { KernelError } from '../model/kernel-error.js';
import type { Backend } from './backend.js';
import { DevmemBackend } from './devmem.js';
import { NetlinkBackend } from './netlink.js';
import { PathManagerListener } from './netlink/listener.js';
import { readPathManagerSetting } from './netlink/path-manager-setting.js';
import { withListener } from './netlink/with-listener.js';

/** What is known about the time before this process. */
export interface OpenOptions {
  /**
   * Whether somebody has listened to the kernel's path manager without a break, so that connections which exist already did not
   * have to refuse joins; false by default.
   */
  readonly wasListening?: boolean;
}

/** What the daemon and `subflowd doctor` need to know about a backend before it is open. */
export interface BackendDefinition {
  /**
   * @param layout `[kernel] layout`.
   * @throws {KernelError} with the reason and the remedy if the backend does not work on this host.
   */
  open(layout: string, options?: OpenOptions): Promise<Backend>;
  /** What must be true on this host for `open` to work. None of the checks is `bad` if it works. */
  probe(layout: string): Promise<readonly Check[]>;
  /**
   * What must also be true for one server with MPTCP; absent: nothing.
   * @param name the name of the checks, which names the server and the process.
   * @throws {Error} as `runInNamespaceOf` does.
   */
  probeServer?(name: string, pid: number): Promise<readonly Check[]>;
  /** Why `auto` chooses it: the end of the sentence "chosen because ...". */
  readonly advantage: string;
  /** Why `auto` tries the other backends first, although this one works; undefined: no reason. */
  drawback(): string | undefined;
}

/**
 * One entry for each backend. A new backend needs its name in `model/backend-name.ts` and its entry here. Only doctor needs the
 * probes, so the daemon does not load them.
 */
export const BACKENDS: Readonly<Record<BackendName, BackendDefinition>> = {
  netlink: {
    open: (_, options) => NetlinkBackend.open(options),
    probe: async () => (await import('./netlink/probe.js')).probeNetlink(),
    probeServer: async (name, pid) =>
      (await import('./netlink/probe-server.js')).probeServerForNetlink(name, pid),
    advantage: 'userspace is the path manager of new connections',
    // It can still be of use: a server can run in a network namespace that has a setting of its own.
    drawback: () => {
      const setting = readPathManagerSetting();
      if (setting?.isUserspace) return undefined;
      return `userspace is not the path manager of new connections${setting === undefined ? '' : ` (${setting.text})`}`;
    },
  },
  devmem: {
    open: openDevmem,
    probe: async (layout) => (await import('./devmem-probe.js')).probeDevmem(layout),
    advantage: '/dev/mem is open',
    drawback: () => undefined,
  },
};

async function openDevmem(layout: string, { wasListening }: OpenOptions = {}): Promise<Backend> {
  const devmem = await DevmemBackend.open(layout);
  try {
    return withListener(devmem, new PathManagerListener(wasListening));
  } catch (error) {
    // Without a path manager there are no events. The controller then observes at intervals.
    if (error instanceof KernelError) return devmem;
    await devmem.close();
    throw error;
  }
}
