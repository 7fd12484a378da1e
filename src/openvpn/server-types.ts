import type { ProblemMap } from '../util/problems.js';
import type { ManagementOptions } from './management/management-types.js';
import type { ProcessProbe } from './records/process.js';

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
