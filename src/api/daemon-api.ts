import type { Config } from '../config/config.js';
import type { Session } from '../model/session.js';
import type { EventStream } from './events.js';
import type { Explanation } from './explanation.js';
import type { DaemonStatus } from './status.js';

/** Orders that an admin can give to the daemon. `by` names the person or program for the log. */
export interface Orders {
  /**
   * Sets an override, or removes it if `path` is undefined. When this resolves, the override is on disk and a round has tried
   * to apply it.
   * @param client `SERVER/COMMON NAME`
   * @throws {Error} if the override cannot be kept; then nothing has changed.
   */
  setOverride(client: string, path: string | undefined, by: string): Promise<void>;
  /** Reads the config file again. @throws {ConfigError} if it has a mistake; then nothing has changed. */
  reload(): Promise<void>;
}

/** What the daemon reports to the outside, and the orders that it takes. Consoles, web pages and metrics adapt it. */
export interface DaemonApi extends Orders {
  readonly events: Pick<EventStream, 'subscribe'>;
  /** Observes the servers, unless this was done a moment ago, so that the other methods return current data. */
  observe(): Promise<void>;
  status(): DaemonStatus;
  config(): Config;
  sessions(): readonly Session[];
  /** @param client `SERVER/COMMON NAME` @returns one for each of its sessions. */
  explain(client: string): readonly Explanation[];
}
