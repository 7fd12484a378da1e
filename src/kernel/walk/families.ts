import type { Access } from '../../native/addon.js';
import type { Layout } from '../layout/layout.js';
import { mptcpFamilyOf, type MptcpFamily } from '../layout/mptcp-family.js';
import type { AddressSpace } from '../memory/address-space.js';
import type { Family } from './family.js';
import { MultipathTcpOrgFamily } from './multipath-tcp-org.js';
import { UpstreamFamily } from './upstream.js';

/** The parts of an open kernel on which a family depends. */
export interface FamilyKernel {
  readonly space: AddressSpace;
  readonly layout: Layout;
  readonly memory: { readonly access: Access };
  /** See `OpenKernel`. */
  readonly hasHardenedUsercopy: boolean;
}

type FamilyConstructor = new (
  space: AddressSpace,
  layout: Layout,
  access: Access,
  hasHardenedUsercopy: boolean,
) => Family;

const FAMILIES: Readonly<Record<MptcpFamily, FamilyConstructor>> = {
  upstream: UpstreamFamily,
  'multipath-tcp.org': MultipathTcpOrgFamily,
};

/**
 * The MPTCP implementation of a kernel.
 * @throws {KernelError} if the kernel has none, or if subflowd cannot write its priorities safely.
 */
export function familyOf({ space, layout, memory, hasHardenedUsercopy }: FamilyKernel): Family {
  const name = mptcpFamilyOf(layout, 'this kernel', 'boot a kernel with CONFIG_MPTCP=y');
  return new FAMILIES[name](space, layout, memory.access, hasHardenedUsercopy);
}
