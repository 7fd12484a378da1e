import { KernelError } from '../../model/kernel-error.js';
import type { Layout } from './layout.js';

/** The two implementations of MPTCP in Linux, by name. */
export type MptcpName = 'upstream' | 'multipath-tcp.org';

/** The members that only kernels with this implementation have: [struct, member]. */
const MEMBERS_BY_NAME: Readonly<Record<MptcpName, readonly (readonly [string, string])[]>> = {
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
 * Finds out which implementation of MPTCP a kernel has.
 * @param kernel a name for the kernel of the layout, for the error message.
 * @param remedy how to fix it if the kernel has no MPTCP; for the error.
 * @throws {KernelError} if the kernel has neither.
 */
export function mptcpNameOf(layout: Layout, kernel: string, remedy: string): MptcpName {
  for (const [name, members] of Object.entries(MEMBERS_BY_NAME)) {
    if (members.every(([struct, member]) => layout.has(struct, member))) return name as MptcpName;
  }
  throw new KernelError(
    'layout',
    `${kernel} has no MPTCP: it has neither upstream's structures nor multipath-tcp.org's`,
    remedy,
  );
}
