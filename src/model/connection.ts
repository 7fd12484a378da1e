import type { Endpoint } from './endpoint.js';
import type { Subflow } from './subflow.js';

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
