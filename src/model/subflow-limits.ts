import type { Endpoint } from './endpoint.js';

/** How many subflows a connection may have, with the initial one. */
export interface SubflowLimits {
  /** For a connection that belongs to a session; 1 or more. */
  readonly withSession: number;
  /** For a connection without a session, whose client is not authenticated yet; 1 or more. */
  readonly withoutSession: number;
  /** The tokens of the connections that belong to sessions, by PID of the server. */
  readonly sessionTokens: ReadonlyMap<number, ReadonlySet<number>>;
}

/** How many subflows of one connection were closed. */
export interface ClosedSubflows {
  readonly pid: number;
  /** The meta-socket's peer. */
  readonly client: Endpoint;
  readonly token: number;
  /** How many subflows it may have. */
  readonly limit: number;
  readonly closed: number;
}

/** The subflows that were closed above the limits since the last report. */
export interface ExcessSubflows {
  /** The number of subflows, of all connections. */
  readonly closed: number;
  /** The number of these connections. 1,000 means 1,000 or more. */
  readonly connections: number;
  /** The connections with the most closed subflows, at most ten. */
  readonly worst: readonly ClosedSubflows[];
}
