import type { Endpoint } from './endpoint.js';
import type { Subflow } from './subflow.js';

/** One MPTCP connection of a server, as the server's kernel has it. A session that uses MPTCP has one. */
export interface Connection {
  /** The server's process. */
  readonly pid: number;
  /** The peer of the meta-socket. OpenVPN reports it as the real address of the client. */
  readonly remote: Endpoint;
  /** The server's own end of the meta-socket. */
  readonly local: Endpoint;
  /** The connection's token (RFC 8684 section 3.2), 32 bits. */
  readonly token: number;
  readonly subflows: readonly Subflow[];
  /** Why the connection cannot be steered, or cannot get more subflows, for an admin; absent if it can. */
  readonly caveat?: string;
}

/** The peer of a connection without MPTCP: the client does not use MPTCP, or the connection fell back to TCP. */
export interface PlainPeer {
  readonly pid: number;
  readonly remote: Endpoint;
  /**
   * The connection began with MPTCP and fell back to plain TCP (RFC 8684 section 3.7). Absent if it never was MPTCP: the kernel
   * gives a server a plain TCP socket for a client whose handshake had no MPTCP.
   */
  readonly fellBack?: true;
  /**
   * When this daemon first observed that it had fallen back, Unix time in milliseconds. The kernel does not keep the time itself.
   * Present only with {@link fellBack}.
   */
  readonly fellBackSince?: number;
}

/** The result of one observation of a server's sockets. */
export interface ServerSockets {
  readonly connections: readonly Connection[];
  readonly plain: readonly PlainPeer[];
  /** A message for each connection that could not be observed; it names the step that failed. The others are complete. */
  readonly problems: readonly string[];
}
