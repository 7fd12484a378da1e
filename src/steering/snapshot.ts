import type { Connection } from '../model/connection.js';
import type { Session } from '../model/session.js';

/** A session and what the kernel holds for it. */
export interface ObservedSession {
  readonly session: Session;
  /**
   * Why no connection is its own, whatever the kernel shows; absent: nothing speaks against it.
   * - `udp`: it is connected over UDP.
   * - `not-let-in`: OpenVPN has not let it in.
   * - `disputed`: another client has the same address and port, and nothing says whose the connection is.
   */
  readonly unsteerable?: 'udp' | 'not-let-in' | 'disputed';
  /** `plain`: a TCP socket without MPTCP; undefined: nothing was found for it. */
  readonly connection: Connection | 'plain' | undefined;
}

/** One observation of all servers. */
export interface Snapshot {
  readonly sessions: readonly ObservedSession[];
}
