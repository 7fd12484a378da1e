import type { Connection } from '../backend/backend.js';
import type { Session } from '../openvpn/session.js';

/** A session and what the kernel holds for it. */
export interface ObservedSession {
  readonly session: Session;
  /** `plain`: a TCP socket without MPTCP; undefined: nothing was found for it. */
  readonly connection: Connection | 'plain' | undefined;
}

/** One observation of all servers. */
export interface Snapshot {
  readonly sessions: readonly ObservedSession[];
}
