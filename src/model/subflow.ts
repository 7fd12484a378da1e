import type { Endpoint } from './endpoint.js';
import type { TcpCounters } from './tcp-counters.js';

/** A subflow's priority (RFC 8684 section 3.3.8). The peer's wish and ours are two different facts. */
export type Priority = 'active' | 'backup';

/** One TCP connection of an MPTCP connection, as the kernel of the server holds it. */
export interface Subflow extends TcpCounters {
  readonly local: Endpoint;
  /** The client's side: the address that says which path the subflow is on. */
  readonly remote: Endpoint;
  /** What this host asks for. */
  readonly ours: Priority;
  /** What the client asks for; it may keep traffic away from the subflow whatever `ours` is. */
  readonly peers: Priority;
  /** The kernel still has to tell the client of `ours`: MP_PRIO rides on the subflow's next packet. */
  readonly mpPrioPending: boolean;
  /** The client's address ID (RFC 8684 section 3.2), 0 to 255; absent if the backend does not know it. */
  readonly id?: number;
}

/** Names one subflow of one connection; plain data, so that the privileged half can live in another process. */
export interface SubflowName {
  readonly pid: number;
  readonly connection: Endpoint;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}
