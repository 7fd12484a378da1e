/**
 * Every member that the walk may read, by structure; a kernel has those of its family and age. Where a thing has moved
 * over the years, all its names are here, and the file that reads it says which kernels have which.
 */
export const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  // from the task to the socket
  task_struct: ['tasks', 'pid', 'files'],
  files_struct: ['fdt'],
  fdtable: ['max_fds', 'fd'],
  file: ['f_inode', 'f_path.dentry'],
  dentry: ['d_inode'],
  inode: ['i_mode'],
  socket_alloc: ['socket', 'vfs_inode'],
  socket: ['file', 'sk'],
  // a socket's ends
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
  // upstream's family
  mptcp_sock: ['conn_list', 'token'],
  mptcp_subflow_context: ['node', 'tcp_sock', 'conn', 'fully_established', 'pm_notified'],
  mptcp_subflow_request_sock: ['request_bkup'],
  // multipath-tcp.org's, but for what both families count
  tcp_sock: ['mpc', 'mpcb', 'mptcp', 'srtt_us', 'bytes_acked', 'bytes_received', 'total_retrans'],
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
  mptcp_tcp_sock: ['next', 'node', 'tp', 'rx_opt.low_prio'],
};

/** Structures that hold priorities: of these, all bit fields count, since a byte is written with its neighbours. */
export const BIT_STRUCTS: ReadonlySet<string> = new Set(['mptcp_subflow_context', 'mptcp_tcp_sock']);
