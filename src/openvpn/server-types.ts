import type { ProblemMap } from '../util/problems.js';
import type { ManagementOptions } from './management/management-types.js';
import type { ProcessProbe } from './records/process.js';

/** Events of a server. */
export interface ServerMap extends ProblemMap {
  /** `sessions()` or `sessionsWithoutPort()` has changed. */
  change: [];
  /** `status()` has changed. */
  status: [];
  /** It is time to observe the kernel and to call `handleMissing()`, which depends on the time. */
  observe: [];
}

/** Options of a server that are not in the config. */
export interface ServerOptions {
  /** Default: reads `/proc`. */
  readonly probe?: ProcessProbe;
  readonly management?: Omit<ManagementOptions, 'passwordFile' | 'user'>;
  /** Milliseconds between two checks of its process and requests for `status`; default 10 s. */
  readonly pollMs?: number;
}
