import type { Connection } from '../model/connection.js';
import type { Session } from '../model/session.js';

/** A session and its connection in the kernel. */
export interface ObservedSession {
  readonly session: Session;
  /**
   * Why no connection can be assigned to the session, whatever the kernel shows; absent: one can.
   * - `udp`: it is connected over UDP.
   * - `not-let-in`: OpenVPN has not let it in.
   * - `disputed`: another client has the same address and port, and nothing shows whose connection it is.
   */
  readonly unsteerable?: 'udp' | 'not-let-in' | 'disputed';
  /** `plain`: a TCP socket without MPTCP; undefined: no socket was found for it. */
  readonly connection: Connection | 'plain' | undefined;
  /** If the connection fell back from MPTCP to plain TCP: when that was first observed, Unix time in milliseconds. */
  readonly fellBackSince?: number;
}

/** One observation of all servers. */
export interface Snapshot {
  readonly sessions: readonly ObservedSession[];
}
