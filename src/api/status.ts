import type { ServerStatus } from '../openvpn/server-status.js';
import type { PathLoad } from '../model/path-load.js';
import type { Report } from './reports.js';
import type { CounterValues } from './counters.js';
import type { SessionPlan } from '../steering/plan.js';

export { ruleText } from '../steering/rule-text.js';
export type { SessionPlan, SessionState, SubflowPlan } from '../steering/plan.js';
export type { Rule } from '../steering/rule.js';
export type { AppliedWish } from '../control/apply.js';
export type { Written } from '../control/controller.js';

/** How a backend writes on this host; see Backend. */
export interface BackendStatus {
  readonly name: string;
  readonly description: string;
  readonly tellsPeer: boolean;
}

/** Everything the daemon knows, as `status --json` prints it. */
export interface DaemonStatus {
  /** subflowd's. */
  readonly version: string;
  /** `uname -r`. */
  readonly kernel: string;
  readonly backend: BackendStatus;
  readonly servers: readonly ServerStatus[];
  /** Nothing is set: `[steering] dry-run = yes`. */
  readonly dryRun: boolean;
  /** What the paths carry and can carry. */
  readonly paths: readonly PathLoad[];
  readonly sessions: readonly SessionPlan[];
  /** By `SERVER/COMMON NAME`: the path an admin asked for. */
  readonly overrides: Readonly<Record<string, string>>;
  /** What was counted since the daemon started. */
  readonly counters: CounterValues;
  /** What cannot be seen or set now, one sentence each. */
  readonly problems: readonly string[];
  /** What servers, their hooks and their management tell of now, and what happened in the last 15 minutes. */
  readonly reports: readonly string[];
  /** The same in the same order, each with its time. */
  readonly reported: readonly Report[];
}
