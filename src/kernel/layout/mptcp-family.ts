import { KernelError } from '../../model/kernel-error.js';
import type { Layout } from './layout.js';

/** The two implementations of MPTCP in Linux. */
export type MptcpFamily = 'upstream' | 'multipath-tcp.org';

/** Members by which a family's kernels are recognised: [struct, member]. */
const MEMBERS_OF_FAMILY: Readonly<Record<MptcpFamily, readonly (readonly [string, string])[]>> = {
  upstream: [
    ['mptcp_sock', 'conn_list'],
    ['mptcp_subflow_context', 'node'],
  ],
  'multipath-tcp.org': [
    ['tcp_sock', 'mpcb'],
    ['mptcp_tcp_sock', 'low_prio'],
  ],
};

/**
 * The MPTCP implementation of a layout's kernel.
 * @param kernel what the layout describes, for the error message.
 * @throws {KernelError} if the kernel has none.
 */
export function mptcpFamilyOf(layout: Layout, kernel: string, remedy: string): MptcpFamily {
  for (const [family, members] of Object.entries(MEMBERS_OF_FAMILY)) {
    if (members.every(([struct, member]) => layout.has(struct, member))) return family as MptcpFamily;
  }
  throw new KernelError(
    'layout',
    `${kernel} has no MPTCP: it has neither upstream's structures nor multipath-tcp.org's`,
    remedy,
  );
}
