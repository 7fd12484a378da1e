import type { Endpoint } from './endpoint.js';
import type { TcpCounters } from './tcp-counters.js';

/** A subflow's priority (RFC 8684 section 3.3.8). Each side asks for one, independently of the other. */
export type Priority = 'active' | 'backup';

/** One TCP connection of an MPTCP connection, as the server's kernel has it. */
export interface Subflow extends TcpCounters {
  readonly local: Endpoint;
  /** The client's endpoint. Its address, and the address ID, show which path the subflow is on. */
  readonly remote: Endpoint;
  /** What this host asks for. */
  readonly ours: Priority;
  /** What the client asks for. If it is `backup`, the subflow may carry no traffic although `ours` is `active`. */
  readonly peers: Priority;
  /** Whether the kernel still has to send `ours` to the client: MP_PRIO goes out with the subflow's next packet. */
  readonly mpPrioPending: boolean;
  /** The client's address ID (RFC 8684 section 3.2), 0 to 255; absent if the backend does not know it. */
  readonly id?: number;
}

/** Identifies one subflow of one connection. It is plain data, so that a backend can run in another process. */
export interface SubflowName {
  readonly pid: number;
  /** The peer of the connection's meta-socket. */
  readonly connection: Endpoint;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}
