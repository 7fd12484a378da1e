import type { Config } from '../config/config.js';
import type { Session } from '../model/session.js';
import type { EventStream } from './events.js';
import type { Explanation } from './explanation.js';
import type { DaemonStatus } from './status.js';

/** What an admin can have the daemon do. `by` is who asks, for people: it is logged. */
export interface Orders {
  /**
   * Sets an override, or takes it back where `path` is undefined. Durable when it resolves, and the switch was tried.
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
  /** Observes the servers, unless that was done a moment ago, so that what follows is up to date. */
  observe(): Promise<void>;
  status(): DaemonStatus;
  config(): Config;
  sessions(): readonly Session[];
  /** @param client `SERVER/COMMON NAME` @returns one for each of its sessions. */
  explain(client: string): readonly Explanation[];
}
