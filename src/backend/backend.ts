import type { Endpoint } from '../model/endpoint.js';

/** A subflow's priority (RFC 8684 section 3.3.8). The peer's wish and ours are two different facts. */
export type Priority = 'active' | 'backup';

/** One TCP connection of an MPTCP connection, as the kernel of the server holds it. */
export interface Subflow {
  readonly local: Endpoint;
  /** The client's side: the address that says which path the subflow is on. */
  readonly remote: Endpoint;
  /** What this host asks for. */
  readonly ours: Priority;
  /** What the client asks for; it may keep traffic away from the subflow whatever `ours` is. */
  readonly peers: Priority;
  /** The kernel still has to tell the client of `ours`: MP_PRIO rides on the subflow's next packet. */
  readonly mpPrioPending: boolean;
  /** The client's address ID (RFC 8684 section 3.2), 0 to 255; here and below absent where the backend cannot tell. */
  readonly id?: number;
  /** Smoothed round-trip time, microseconds. */
  readonly rtt?: number;
  /** TCP payload that the client acknowledged, bytes. */
  readonly bytesAcked?: number;
  /** TCP payload that came from the client, bytes. */
  readonly bytesReceived?: number;
  /** The least round-trip time of the last minutes, microseconds. */
  readonly minRtt?: number;
  /** Segments that were sent again. */
  readonly retransmitted?: number;
}

/** One MPTCP connection of a server: what the kernel holds for a session. */
export interface Connection {
  /** The server's process. */
  readonly pid: number;
  /** The meta-socket's peer: the real address that OpenVPN knows the client by. */
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** The connection's token (RFC 8684 section 3.2), 32 bits. */
  readonly token: number;
  readonly subflows: readonly Subflow[];
  /** What keeps this connection from being steered, or from more subflows, in words for an admin; absent if nothing. */
  readonly caveat?: string;
}

/** A TCP socket of the server that is no MPTCP connection: a plain-TCP client or a fallen-back one. */
export interface PlainPeer {
  readonly pid: number;
  readonly remote: Endpoint;
}

/** Everything that one look at a server's sockets shows. */
export interface ServerSockets {
  readonly connections: readonly Connection[];
  readonly plain: readonly PlainPeer[];
  /** What could not be followed, each naming the step it failed at; the rest is whole. */
  readonly problems: readonly string[];
}

/** What came of one wish for a subflow's priority. */
export interface PriorityResult {
  /**
   * - `committed`: the field was changed and read back.
   * - `unchanged`: it held the wish already.
   * - `gone`: a guard no longer held (the subflow or its connection closed, or was never there): nothing was written.
   * - `refused`: this kernel gives no safe way to write it: nothing was written.
   */
  readonly outcome: 'committed' | 'unchanged' | 'gone' | 'refused';
  /** Whether the kernel was asked to tell the client (MP_PRIO). */
  readonly peerAsked: boolean;
  /** Why, in words for an admin, unless all is as wished. */
  readonly reason?: string;
}

/** Names one subflow of one connection; plain data, so that the privileged half can live in another process. */
export interface SubflowName {
  readonly pid: number;
  readonly connection: Endpoint;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

export interface PriorityOptions {
  /**
   * Our wish wins: where the subflow is to be active and its peer wishes backup, that wish is taken back in this kernel.
   * False by default. A backend that cannot refuses.
   */
  readonly overridePeer?: boolean;
}

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

/** A way to see and set priorities. */
export interface Backend {
  readonly name: 'devmem' | 'netlink';
  /** One line for an admin: how this backend writes on this host. */
  readonly description: string;
  /** Whether the client is told of a changed priority; if not, only what the server sends moves. */
  readonly tellsPeer: boolean;
  /**
   * Everything the server's process has open now.
   * @throws {KernelError} if the process cannot be found or its sockets cannot be walked at all.
   */
  connections(pid: number): Promise<ServerSockets>;
  /** Never throws for a subflow that is gone or a field that cannot be written; see the result. */
  setPriority(subflow: SubflowName, priority: Priority, options?: PriorityOptions): Promise<PriorityResult>;
  /**
   * These servers are there, though nobody may be connected yet: for a backend that has to be ready before. What is
   * remembered of others may be forgotten.
   */
  attend?(pids: readonly number[]): void;
  /** Calls back when connections or subflows came, went or changed; absent: only looking tells. */
  onChange?(listener: () => void): void;
  /**
   * Closes what connections have above these limits, and from now on what comes above them; absent where the kernel sets
   * limits itself. Returns before it is done.
   */
  limitSubflows?(limits: SubflowLimits): void;
  /** Calls back when subflows were closed above a limit: half a second after the first, then every 10 s at most. */
  onExcess?(listener: (excess: ExcessSubflows) => void): void;
  close(): Promise<void>;
}
