import { readFileSync } from 'node:fs';
import type { KernelConfig } from '../config/config.js';
import { KernelError } from '../model/kernel-error.js';
import type { Backend } from './backend.js';
import { DevmemBackend } from './devmem.js';
import { NetlinkBackend } from './netlink.js';
import { PathManagerListener } from './netlink/listener.js';
import { withListener } from './netlink/with-listener.js';

/** A backend that works on this host. */
export interface OpenBackend {
  readonly backend: Backend;
  /** Why this one, for an admin. */
  readonly because: string;
}

/** Opens the backend that the config asks for. @throws {KernelError} if it, or with `auto` neither, works on this host. */
export async function openBackend({ backend: wanted, layout }: KernelConfig): Promise<OpenBackend> {
  const because = `the config says backend = ${wanted}`;
  if (wanted === 'devmem') return { backend: await openDevmem(layout), because };
  if (wanted === 'netlink') return { backend: await NetlinkBackend.open(), because };
  return chooseBackend(layout);
}

/**
 * netlink where it can set priorities: under net.mptcp.pm_type = 1. Else /dev/mem where it is open; else netlink all the
 * same, since servers may run in network namespaces with a pm_type of their own, and since it tells what is missing.
 */
async function chooseBackend(layout: string): Promise<OpenBackend> {
  const netlink = await attempt(() => NetlinkBackend.open());
  const pmType = readPmType();
  if (netlink.is === 'open' && pmType === 1)
    return { backend: netlink.backend, because: 'net.mptcp.pm_type is 1' };
  const devmem = await attempt(() => openDevmem(layout));
  if (devmem.is === 'open') {
    const without = netlink.is === 'open' ? 'net.mptcp.pm_type is not 1' : netlink.error.message;
    if (netlink.is === 'open') await netlink.backend.close();
    return { backend: devmem.backend, because: `/dev/mem is open, and ${without}` };
  }
  if (netlink.is === 'open') {
    const because = `net.mptcp.pm_type is not 1 here, but there is no other way: ${devmem.error.message}`;
    return { backend: netlink.backend, because };
  }
  const { step, message, remedy } = netlink.error;
  if (step === 'addon') throw netlink.error;
  throw new KernelError('netlink', `no backend works here: ${message}; ${devmem.error.message}`, remedy, {
    cause: netlink.error,
  });
}

async function openDevmem(layout: string): Promise<Backend> {
  const devmem = await DevmemBackend.open(layout);
  try {
    return withListener(devmem, new PathManagerListener());
  } catch (error) {
    if (error instanceof KernelError) return devmem; // no path manager to listen to: looking is enough
    await devmem.close();
    throw error;
  }
}

type Attempt =
  { readonly is: 'open'; readonly backend: Backend } | { readonly is: 'shut'; readonly error: KernelError };

async function attempt(open: () => Promise<Backend>): Promise<Attempt> {
  try {
    return { is: 'open', backend: await open() };
  } catch (error) {
    if (error instanceof KernelError) return { is: 'shut', error };
    throw error;
  }
}

/** Of our own network namespace; undefined on kernels that have no such choice. */
export function readPmType(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/mptcp/pm_type', 'utf8'));
  } catch {
    return undefined;
  }
}
