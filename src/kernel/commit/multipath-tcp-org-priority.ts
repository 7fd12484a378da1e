import type { Access } from '../../native/addon.js';
import { KernelError } from '../../model/kernel-error.js';
import type { Layout } from '../layout/layout.js';
import type { PriorityFields } from './priority-bits.js';

const SUBFLOW = 'mptcp_tcp_sock';

/**
 * Bit fields of `mptcp_tcp_sock` that the kernel does not write on an established subflow that a server accepted, so that
 * a byte-wise write may write them back as it read them. From net/mptcp/mptcp_{input,output,ctrl}.c of v0.86 to v0.96:
 * - slave_sk, nonce_set, second_packet, include_mpc, establish_increased, attached, fully_established: written during the
 *   setup. `attached` is cleared at the end, and is a guard.
 * - pre_established: only on the side that opened the subflow (mptcp_rcv_synsent_state_process). It is a guard as well.
 * - send_mp_fail, csum_error, teardown: written after a wrong checksum, when the subflow ends.
 * - map_data_fin: 0 until the client closes the connection (mptcp_detect_mapping). A byte-wise write has it as a guard.
 * - rcv_low_prio: written when the client sends MP_PRIO. If that happens in the microseconds between our read and our
 *   write, it is lost. Then the client's priority is wrong, but the connection works.
 *
 * These are not in the list, so a byte-wise write never touches their byte:
 * - mapping_present: written for every mapping that arrives. It shares a byte with low_prio in v0.88.
 * - every bit field with an unknown name.
 */
const STABLE_BITS = new Set([
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
 * Where multipath-tcp.org has the priorities of a subflow. Its schedulers honour the priorities of both sides, except
 * `roundrobin`, which honours neither. `fully_established` is not a precondition: an accepted subflow does not have it
 * before the first packet is sent on it.
 * @param hasHardenedUsercopy the kernel has CONFIG_HARDENED_USERCOPY (Linux 4.16 and later). Then a `pwrite` into
 * `mptcp_tcp_sock` ends in a BUG, because its slab cache allows no copies from user space.
 * @throws {KernelError} if a byte-wise write would end in that BUG.
 */
export function multipathTcpOrgPriority(
  layout: Layout,
  access: Access,
  hasHardenedUsercopy: boolean,
): PriorityFields {
  if (access === 'bytes' && hasHardenedUsercopy) {
    throw new KernelError(
      'field',
      'this kernel refuses byte-wise writes into its objects (CONFIG_HARDENED_USERCOPY)',
      'boot with the kernel parameter nopat, so that memory can be mapped',
    );
  }
  const preconditions = [
    { name: 'attached', value: 1 } as const,
    { name: 'pre_established', value: 0 } as const,
    ...(access === 'bytes' ? [{ name: 'map_data_fin', value: 0 } as const] : []),
  ];
  return {
    struct: SUBFLOW,
    ours: 'low_prio',
    // The first releases of v0.86 have no rcv_low_prio: their scheduler reads the option as it was received.
    peers: layout.has(SUBFLOW, 'rcv_low_prio') ? 'rcv_low_prio' : 'rx_opt.low_prio',
    sendMpPrio: 'send_mp_prio',
    preconditions: preconditions.map(({ name, value }) => ({ bit: layout.bits(SUBFLOW, name), value })),
    stableBits: STABLE_BITS,
    schedulerHonours: 'both',
  };
}
