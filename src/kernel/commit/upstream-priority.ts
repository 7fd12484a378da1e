import type { Layout } from '../layout/layout.js';
import type { PrioritySource } from './priority-bits.js';

const CONTEXT = 'mptcp_subflow_context';

/**
 * Bit fields of `mptcp_subflow_context` that nobody writes once the subflow is established, so that the byte that
 * holds them can be written back as it was read. From net/mptcp/ of 6.1 and 6.12, for a subflow that a server accepted:
 * - request_mptcp, request_join: set while a client connects (mptcp_subflow_create_socket, __mptcp_subflow_connect);
 *   cleared on the client's SYN/ACK or in mptcp_connect.
 * - request_bkup: ours; besides us only mptcp_pm_send_ack, which an admin's `ip mptcp endpoint change` reaches.
 * - mp_capable, mp_join: from the handshake (subflow_finish_connect, subflow_ulp_clone); mp_capable is cleared by
 *   check_fully_established, which does nothing any more once fully_established is set.
 * - fully_established, pm_notified: set once (check_fully_established); both are guards of every commit.
 * - conn_finished: set once (subflow_finish_connect, subflow_ulp_clone).
 * Not here, and so never written back: map_valid and its neighbours (every mapping received, get_mapping_status),
 * backup (MP_PRIO received), send_mp_prio (cleared by mptcp_write_options), and every name that is not known.
 */
const QUIET = new Set([
  'request_mptcp',
  'request_join',
  'request_bkup',
  'mp_capable',
  'mp_join',
  'fully_established',
  'pm_notified',
  'conn_finished',
]);

/** Where upstream keeps a subflow's priorities. */
export function upstreamPriority(layout: Layout): PrioritySource {
  return {
    struct: CONTEXT,
    ours: 'request_bkup',
    peers: 'backup',
    sendMpPrio: 'send_mp_prio',
    // whole members on some kernels, bit fields on others
    settled: ['fully_established', 'pm_notified']
      .filter((name) => layout.has(CONTEXT, name))
      .map((name) => ({ bit: layout.bits(CONTEXT, name), value: 1 })),
    quiet: QUIET,
    heeds: layout.has('mptcp_subflow_request_sock', 'request_bkup') ? 'either' : 'peers',
  };
}
