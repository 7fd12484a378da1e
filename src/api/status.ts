import type { BackendName } from '../model/backend-name.js';
import type { PathLoad } from '../model/path-load.js';
import type { ServerStatus } from '../openvpn/server-status.js';
import type { SessionPlan } from '../steering/plan.js';
import type { ConfigMistake } from './config-mistake.js';
import type { CounterValues } from './counters.js';
import type { Report } from './reports.js';

// The rooms above may import api, but not steering or control. These are parts of what api reports.
export { ruleSentence, ruleText } from '../steering/rule-text.js';
export type { SessionPlan, SubflowPlan } from '../steering/plan.js';
export type { Written } from '../control/controller.js';

/** How a backend sets priorities on this host. */
export interface BackendStatus {
  readonly name: BackendName;
  /** How it works on this host and why it was chosen, one line. */
  readonly description: string;
  /** Whether the client is notified of a changed priority (MP_PRIO). */
  readonly tellsPeer: boolean;
}

/** Everything the daemon knows. Plain data, as `status --json` prints it: its members must keep their names. */
export interface DaemonStatus {
  /** Version of subflowd. */
  readonly version: string;
  /** `uname -r`. */
  readonly kernel: string;
  readonly backend: BackendStatus;
  readonly servers: readonly ServerStatus[];
  /** Whether no priorities are set: `[steering] dry-run = yes`. */
  readonly dryRun: boolean;
  /** Load and capacity of the paths. */
  readonly paths: readonly PathLoad[];
  readonly sessions: readonly SessionPlan[];
  /** By `SERVER/COMMON NAME`: the path that an admin set. */
  readonly overrides: Readonly<Record<string, string>>;
  /** Counts since the daemon started. */
  readonly counters: CounterValues;
  /** Present while the config file has mistakes. */
  readonly configMistake?: ConfigMistake;
  /** What cannot be observed or set now, one sentence each. */
  readonly problems: readonly string[];
  /** Current problems of servers, their hooks and management interfaces, and events of the last 15 minutes. */
  readonly reports: readonly string[];
  /** The same reports in the same order, each with its time. */
  readonly reported: readonly Report[];
}
