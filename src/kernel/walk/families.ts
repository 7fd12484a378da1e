import type { Family } from './family.js';
import { KernelError } from '../../model/kernel-error.js';
import type { OpenKernel } from '../kernel.js';
import type { Layout } from '../layout/layout.js';
import { MultipathTcpOrg } from './multipath-tcp-org.js';
import { Upstream } from './upstream.js';

const FAMILIES = [Upstream, MultipathTcpOrg] as const;

/** Whether a layout knows the structures of any family. */
export function hasMptcp(layout: Layout): boolean {
  return FAMILIES.some((family) => family.has(layout));
}

/**
 * The family that a kernel's layout is of, told by the structures it holds.
 * @throws {KernelError} if it is of none, or if its priorities cannot safely be written.
 */
export function familyOf({ space, layout, memory, checksCopies }: OpenKernel): Family {
  const family = FAMILIES.find((candidate) => candidate.has(layout));
  if (!family) {
    throw new KernelError(
      'layout',
      "this kernel has no MPTCP: neither upstream's structures nor multipath-tcp.org's",
      'boot a kernel with CONFIG_MPTCP=y',
    );
  }
  return new family(space, layout, memory.access, checksCopies);
}
