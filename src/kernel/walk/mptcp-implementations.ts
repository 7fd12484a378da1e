import type { Access } from '../../native/addon.js';
import type { Layout } from '../layout/layout.js';
import { mptcpNameOf, type MptcpName } from '../layout/mptcp-name.js';
import type { AddressSpace } from '../memory/address-space.js';
import type { MptcpImplementation } from './mptcp-implementation.js';
import { MultipathTcpOrgMptcp } from './multipath-tcp-org.js';
import { UpstreamMptcp } from './upstream.js';

/** The parts of an `OpenKernel` that an implementation needs. */
export interface MptcpKernel {
  readonly space: AddressSpace;
  readonly layout: Layout;
  readonly memory: { readonly access: Access };
  readonly hasHardenedUsercopy: boolean;
}

type ImplementationConstructor = new (
  space: AddressSpace,
  layout: Layout,
  access: Access,
  hasHardenedUsercopy: boolean,
) => MptcpImplementation;

const IMPLEMENTATIONS: Readonly<Record<MptcpName, ImplementationConstructor>> = {
  upstream: UpstreamMptcp,
  'multipath-tcp.org': MultipathTcpOrgMptcp,
};

/**
 * The MPTCP implementation of a kernel.
 * @throws {KernelError} if the kernel has none, or if subflowd cannot write its priorities safely.
 */
export function mptcpOf({ space, layout, memory, hasHardenedUsercopy }: MptcpKernel): MptcpImplementation {
  const name = mptcpNameOf(layout, 'this kernel', 'boot a kernel with CONFIG_MPTCP=y');
  return new IMPLEMENTATIONS[name](space, layout, memory.access, hasHardenedUsercopy);
}
