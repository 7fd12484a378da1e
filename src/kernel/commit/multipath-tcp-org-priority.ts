import type { Access } from '../../native/addon.js';
import { KernelError } from '../../model/kernel-error.js';
import type { Layout } from '../layout/layout.js';
import type { PrioritySource } from './priority-bits.js';

const SUB = 'mptcp_tcp_sock';

/**
 * Bit fields of `mptcp_tcp_sock` that stay as they are on an established subflow that a server accepted, so that the
 * byte that holds them can be written back as it was read. From net/mptcp/mptcp_{input,output,ctrl}.c of v0.86 to v0.96:
 * - slave_sk, nonce_set, second_packet, include_mpc, establish_increased, attached, fully_established: from the setup;
 *   `attached` is cleared at the end and is a guard.
 * - pre_established: of the side that opened the subflow (mptcp_rcv_synsent_state_process); a guard all the same.
 * - send_mp_fail, csum_error, teardown: after a checksum that was wrong, when the subflow ends.
 * - map_data_fin: 0 until the client closes the connection (mptcp_detect_mapping), which is a guard byte-wise.
 * - rcv_low_prio: written when the client sends MP_PRIO. One that arrives in the microseconds between our read and our
 *   write is lost; that harms its wish, not the connection.
 * Not here, and so never written back: mapping_present (every mapping received), which shares a byte with low_prio in
 * v0.88, and every name that is not known.
 */
const QUIET = new Set([
  'slave_sk',
  'nonce_set',
  'second_packet',
  'include_mpc',
  'establish_increased',
  'attached',
  'fully_established',
  'pre_established',
  'send_mp_fail',
  'csum_error',
  'teardown',
  'map_data_fin',
  'rcv_low_prio',
]);

/**
 * Where multipath-tcp.org keeps a subflow's priorities. All its schedulers that heed them ask both wishes; `roundrobin`
 * asks none. An accepted subflow that nothing was sent on yet is not `fully_established`, which is no reason to wait.
 * @param checksCopies the kernel checks what is copied into its objects (CONFIG_HARDENED_USERCOPY since Linux 4.16):
 * then a `pwrite` into `mptcp_tcp_sock`, which is of a slab cache without a window for it, ends in a BUG.
 * @throws {KernelError} if a byte-wise write would be refused in that way.
 */
export function multipathTcpOrgPriority(
  layout: Layout,
  access: Access,
  checksCopies: boolean,
): PrioritySource {
  if (access === 'bytes' && checksCopies) {
    throw new KernelError(
      'field',
      'this kernel refuses byte-wise writes into its objects (CONFIG_HARDENED_USERCOPY)',
      'boot with the kernel parameter nopat, so that memory can be mapped',
    );
  }
  const settled = [
    { name: 'attached', value: 1 } as const,
    { name: 'pre_established', value: 0 } as const,
    ...(access === 'bytes' ? [{ name: 'map_data_fin', value: 0 } as const] : []),
  ];
  return {
    struct: SUB,
    ours: 'low_prio',
    // the first releases of v0.86 have no bit of its own for it, and their scheduler asks the option as it was received
    peers: layout.has(SUB, 'rcv_low_prio') ? 'rcv_low_prio' : 'rx_opt.low_prio',
    sendMpPrio: 'send_mp_prio',
    settled: settled.map(({ name, value }) => ({ bit: layout.bits(SUB, name), value })),
    quiet: QUIET,
    heeds: 'either',
  };
}
