import type { Backoff } from '../../util/backoff.js';
import type { ProblemMap } from '../../util/problems.js';
import type { ClientMessage } from './client-messages.js';

/** Options of `Management`. */
export interface ManagementOptions {
  /** A user, by name or number, who may listen there besides root and the user of this process. */
  readonly user?: string;
  /** The first line of this file is the password. It is read again at each connect. */
  readonly passwordFile?: string;
  /** Milliseconds until OpenVPN must have greeted; default 5 s. */
  readonly greetingMs?: number;
  /** Milliseconds until OpenVPN must have answered a command; default 30 s. */
  readonly answerMs?: number;
  readonly backoff?: Backoff;
}

/** What OpenVPN reports about its process. */
export interface ManagementInfo {
  /** In a PID namespace of its own, as in a container, this is another number than on this host. */
  readonly pid: number;
  /** The PID on this host of the process that listens; absent if it is not known, for example on TCP. */
  readonly listenerPid?: number;
  /** First line of `version`, without its title: `OpenVPN 2.6.14 x86_64-pc-linux-gnu ...`. */
  readonly version: string;
}

/** Events of `Management`. */
export interface ManagementMap extends ProblemMap {
  /** OpenVPN has greeted, with this line. Events `message` and `client` come only after it. */
  greeted: [string];
  /** OpenVPN has greeted and reported its process. */
  ready: [ManagementInfo];
  /** The answer to `requestStatus()`: its lines, and `performance.now()` at the request. */
  status: [readonly string[], number];
  /** A client was let in, or disconnected. The same message is also a `message`. */
  client: [ClientMessage];
  /** Any real-time message except the greeting: its lines, with those of its variables. */
  message: [readonly string[]];
  /** The connection ended after the greeting, for this reason. `Management` connects again. */
  hungUp: [string];
  /** The connection ended after `ready`. `Management` connects again. */
  lost: [];
}
