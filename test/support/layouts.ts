import { Layout } from '../../src/kernel/layout.js';

/** Offsets of a Linux 6.1 built with few options, as its BTF gives them. */
export const LINUX_6_1 = new Layout({
  fields: {
    'task_struct.tasks': { offset: 736, size: 16 },
    'task_struct.pid': { offset: 960, size: 4 },
    'task_struct.files': { offset: 1504, size: 8 },
    'files_struct.fdt': { offset: 32, size: 8 },
    'fdtable.max_fds': { offset: 0, size: 4 },
    'fdtable.fd': { offset: 8, size: 8 },
    'file.f_inode': { offset: 32, size: 8 },
    'inode.i_mode': { offset: 0, size: 2 },
    'socket_alloc.socket': { offset: 0, size: 128 },
    'socket_alloc.vfs_inode': { offset: 128, size: 592 },
    'socket.file': { offset: 16, size: 8 },
    'socket.sk': { offset: 24, size: 8 },
    'sock.sk_protocol': { offset: 500, size: 2 },
    'sock_common.skc_family': { offset: 16, size: 2 },
    'sock_common.skc_state': { offset: 18, size: 1 },
    'sock_common.skc_daddr': { offset: 0, size: 4 },
    'sock_common.skc_rcv_saddr': { offset: 4, size: 4 },
    'sock_common.skc_dport': { offset: 12, size: 2 },
    'sock_common.skc_num': { offset: 14, size: 2 },
    'sock_common.skc_v6_daddr': { offset: 56, size: 16 },
    'sock_common.skc_v6_rcv_saddr': { offset: 72, size: 16 },
    'mptcp_sock.conn_list': { offset: 1632, size: 16 },
    'mptcp_sock.token': { offset: 1512, size: 4 },
    'mptcp_subflow_context.node': { offset: 0, size: 16 },
    'mptcp_subflow_context.tcp_sock': { offset: 200, size: 8 },
    'mptcp_subflow_context.conn': { offset: 208, size: 8 },
  },
  bits: {
    mptcp_subflow_context: [
      'request_mptcp', 'request_join', 'request_bkup', 'mp_capable', 'mp_join', 'fully_established', 'pm_notified',
      'conn_finished', 'map_valid', 'map_csum_reqd', 'map_data_fin', 'mpc_map', 'backup', 'send_mp_prio',
      'send_mp_fail', 'send_fastclose', 'send_infinite_map', 'rx_eof', 'can_ack', 'disposable', 'stale',
    ].map((name, index) => ({ name, bitOffset: 768 + index, bitSize: 1 })), // prettier-ignore
  },
});
