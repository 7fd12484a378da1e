import { TCP_COUNTERS } from '../../model/tcp-counters.js';

/** The members of `tcp_sock` that count traffic. */
const COUNTER_MEMBERS = Object.values(TCP_COUNTERS).flatMap((counter) =>
  'tcpSock' in counter ? [counter.tcpSock.member] : [],
);

/**
 * Every member that a layout must have if the kernel has it, by structure. No kernel has all of them. If the kernel moved or renamed a member,
 * all its names are here; the file that reads it says which kernels have which name.
 */
export const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  // task to socket
  task_struct: ['tasks', 'pid', 'files'],
  files_struct: ['fdt'],
  fdtable: ['max_fds', 'fd'],
  file: ['f_inode', 'f_path.dentry'],
  dentry: ['d_inode'],
  inode: ['i_mode'],
  socket_alloc: ['socket', 'vfs_inode'],
  socket: ['file', 'sk'],
  // local and remote endpoint
  sock: ['sk_protocol'],
  sock_common: [
    'skc_family',
    'skc_state',
    'skc_daddr',
    'skc_rcv_saddr',
    'skc_dport',
    'skc_num',
    'skc_v6_daddr',
    'skc_v6_rcv_saddr',
  ],
  inet_sock: ['inet_daddr', 'inet_rcv_saddr', 'inet_dport', 'inet_num', 'pinet6'],
  ipv6_pinfo: ['daddr', 'rcv_saddr'],
  // upstream
  // notsent_lowat is never read: it shows which bit of flags means a fallback (walk/upstream.ts)
  mptcp_sock: ['conn_list', 'token', 'flags', 'notsent_lowat'],
  mptcp_subflow_context: ['node', 'tcp_sock', 'conn', 'fully_established', 'pm_notified', 'remote_id'],
  // never read: it shows which priorities the scheduler honours (commit/upstream-priority.ts)
  mptcp_subflow_request_sock: ['request_bkup'],
  // multipath-tcp.org, except for the counters
  tcp_sock: ['mpc', 'mpcb', 'mptcp', ...COUNTER_MEMBERS],
  mptcp_cb: [
    'meta_sk',
    'connection_list',
    'conn_list',
    'mptcp_loc_token',
    'infinite_mapping',
    'infinite_mapping_rcv',
    'infinite_mapping_snd',
    'send_infinite_mapping',
  ],
  mptcp_tcp_sock: ['next', 'node', 'tp', 'rx_opt.low_prio', 'rem_id'],
};

/** Structures with priority bits. A layout has all their bit fields, because a byte-wise write also writes its neighbours. */
export const BIT_STRUCTS: ReadonlySet<string> = new Set(['mptcp_subflow_context', 'mptcp_tcp_sock']);
