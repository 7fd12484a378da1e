import type { ProblemMap } from '../util/problems.js';
import type { ManagementOptions } from './management/management-types.js';
import type { ProcessProbe } from './process.js';

/** What subflowd knows of a server, and from which source. */
export interface ServerStatus {
  readonly name: string;
  /** `absent`: the config has no management interface for it. */
  readonly management: 'absent' | 'unreachable' | 'connected';
  /** Why management is unreachable. */
  readonly managementTrouble?: string;
  /** Number of sessions that a hook has recorded. */
  readonly recorded: number;
  /** Number of sessions that OpenVPN let in and no hook has recorded; absent if there are none. */
  readonly unrecorded?: number;
  /** All processes of the server; more than one only without management. */
  readonly pids: readonly number[];
  /** As OpenVPN reports it, e.g. `OpenVPN 2.6.14 x86_64-pc-linux-gnu ...`. */
  readonly version?: string;
}

export interface ServerMap extends ProblemMap {
  /** `sessions()` or `sessionsWithoutPort()` has changed. */
  change: [];
  /** `status()` has changed. */
  status: [];
  /** It is time to observe the kernel and to call `handleMissing()`, which depends on the time. */
  observe: [];
}

export interface ServerOptions {
  readonly probe?: ProcessProbe;
  readonly management?: Omit<ManagementOptions, 'passwordFile' | 'user'>;
  /** Milliseconds between two checks of everything without news; default 10 s. */
  readonly pollMs?: number;
}
