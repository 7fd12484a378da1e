import type { Endpoint } from './endpoint.js';

/** How many subflows a connection may have, the one that it began with included. */
export interface SubflowLimits {
  /** 1 or more. */
  readonly most: number;
  /** The same of a connection that is no session's, so that nobody knows yet who it is. */
  readonly mostUnclaimed: number;
  /** Tokens of the connections that are sessions', by the server's process. */
  readonly claimed: ReadonlyMap<number, ReadonlySet<number>>;
}

/** How many subflows of one connection were closed. */
export interface ClosedSubflows {
  readonly pid: number;
  /** The meta-socket's peer. */
  readonly client: Endpoint;
  readonly token: number;
  /** How many it may have. */
  readonly limit: number;
  readonly closed: number;
}

/** What was closed above limits since the last report. */
export interface ExcessSubflows {
  /** Of all connections. */
  readonly closed: number;
  /** How many they are; at least, where they are a thousand. */
  readonly connections: number;
  /** Those with the most, ten at most. */
  readonly worst: readonly ClosedSubflows[];
}
