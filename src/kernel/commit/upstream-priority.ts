import type { Layout } from '../layout/layout.js';
import type { PriorityFields } from './priority-bits.js';

const CONTEXT = 'mptcp_subflow_context';

/**
 * Bit fields of `mptcp_subflow_context` that the kernel does not write once the subflow is established, so that a byte-wise
 * write may write them back as it read them. From net/mptcp/ of Linux 6.1 and 6.12, for a subflow that a server accepted:
 * - request_mptcp, request_join: set while a client connects (mptcp_subflow_create_socket, __mptcp_subflow_connect).
 *   They are cleared on the client's SYN/ACK or in mptcp_connect.
 * - request_bkup: our priority. The only other writer is mptcp_pm_send_ack, for an admin's `ip mptcp endpoint change`.
 * - mp_capable, mp_join: set in the handshake (subflow_finish_connect, subflow_ulp_clone). check_fully_established clears
 *   mp_capable, but does nothing once fully_established is set.
 * - fully_established, pm_notified: set once (check_fully_established). Both are guards of every commit.
 * - conn_finished: set once (subflow_finish_connect, subflow_ulp_clone).
 *
 * These are not in the list, so a byte-wise write never touches their byte:
 * - map_valid and its neighbours: get_mapping_status writes them for every mapping that arrives.
 * - backup: written when MP_PRIO arrives.
 * - send_mp_prio: cleared by mptcp_write_options.
 * - every bit field with an unknown name.
 */
const STABLE_BITS = new Set([
  'request_mptcp',
  'request_join',
  'request_bkup',
  'mp_capable',
  'mp_join',
  'fully_established',
  'pm_notified',
  'conn_finished',
]);

/** Where upstream Linux has the priorities of a subflow. */
export function upstreamPriority(layout: Layout): PriorityFields {
  return {
    struct: CONTEXT,
    ours: 'request_bkup',
    peers: 'backup',
    sendMpPrio: 'send_mp_prio',
    // bit fields on some kernels, whole members on others
    preconditions: ['fully_established', 'pm_notified']
      .filter((name) => layout.has(CONTEXT, name))
      .map((name) => ({ bit: layout.bits(CONTEXT, name), value: 1 })),
    stableBits: STABLE_BITS,
    // "mptcp: sched: check both directions for backup" came with this member: Linux 6.11, 5.15.165, 6.1.104, 6.6.45, 6.10.4.
    schedulerHonours: layout.has('mptcp_subflow_request_sock', 'request_bkup') ? 'both' : 'peers',
  };
}
