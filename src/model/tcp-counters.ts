/**
 * The TCP counters of a subflow, and where the kernel has each of them. Both backends read this table, so a new counter is
 * one entry here. A kernel, or a backend, that lacks a counter leaves it out.
 *
 * `tcpSock`: the member of `struct tcp_sock`, which devmem reads; the counter is its value shifted right by `shift` bits.
 * `tcpInfo`: the member of `struct tcp_info` (include/uapi/linux/tcp.h), which netlink reads; offset and size in bytes.
 */
export const TCP_COUNTERS = {
  /** Smoothed round-trip time, microseconds. `srtt_us` has eight times the value (tcp_rtt_estimator), since Linux 3.15. */
  rtt: { tcpSock: { member: 'srtt_us', shift: 3 }, tcpInfo: { offset: 68, size: 4 } },
  /** TCP payload that the client acknowledged, bytes. Since Linux 4.1. */
  bytesAcked: { tcpSock: { member: 'bytes_acked', shift: 0 }, tcpInfo: { offset: 120, size: 8 } },
  /** TCP payload that came from the client, bytes. Since Linux 4.1. */
  bytesReceived: { tcpSock: { member: 'bytes_received', shift: 0 }, tcpInfo: { offset: 128, size: 8 } },
  /**
   * The least round-trip time of the last `net.ipv4.tcp_min_rtt_wlen` seconds (300), microseconds. 2^32 - 1 before the first
   * measurement (net/ipv4/tcp.c, minmax_reset).
   */
  minRtt: { tcpInfo: { offset: 148, size: 4 } },
  /** Segments that this host sent again. */
  retransmitted: { tcpSock: { member: 'total_retrans', shift: 0 }, tcpInfo: { offset: 100, size: 4 } },
  /** Segments that were sent and that the client has not acknowledged yet. */
  unacked: { tcpSock: { member: 'packets_out', shift: 0 }, tcpInfo: { offset: 24, size: 4 } },
  /**
   * How often in a row the retransmission timer expired and was doubled (RFC 6298 section 5.5), 0 to 15. An acknowledgement
   * with a valid round-trip time makes it 0.
   */
  backoff: { tcpSock: { member: 'inet_conn.icsk_backoff', shift: 0 }, tcpInfo: { offset: 4, size: 1 } },
} as const;

/** The name of a counter, as `status --json` has it. */
export type TcpCounterName = keyof typeof TCP_COUNTERS;

/** The counters of one subflow. */
export type TcpCounters = { readonly [Name in keyof typeof TCP_COUNTERS]?: number };
