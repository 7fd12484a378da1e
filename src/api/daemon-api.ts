import type { Config } from '../config/config.js';
import type { Session } from '../model/session.js';
import type { ConfigMistake } from './config-mistake.js';
import type { EventStream } from './events.js';
import type { Explanation } from './explanation.js';
import type { DaemonStatus } from './status.js';

/**
 * Everything that the outside can ask of the daemon: what it reports, and the commands that it takes. Consoles, web pages and
 * metrics are adapters of this interface.
 */
export interface DaemonApi {
  readonly events: Pick<EventStream, 'subscribe'>;
  /** Observes the servers, unless this was done a moment ago, so that the other methods return current data. */
  observe(): Promise<void>;
  /** The result of the last round, and what was reported since. */
  status(): DaemonStatus;
  /** The config that is in force. */
  config(): Config;
  /** What is wrong with the config file; undefined while it has no mistake. */
  configMistake(): ConfigMistake | undefined;
  /** The sessions of the last round. */
  sessions(): readonly Session[];
  /**
   * Explains each session of a client.
   * @param client `SERVER/COMMON NAME`
   */
  explain(client: string): readonly Explanation[];
  /**
   * Sets an override, or removes it if `path` is undefined. When this resolves, the override is on disk.
   * @param client `SERVER/COMMON NAME`
   * @param by names the person or program, for the log.
   * @returns whether a round has tried to apply it, so that the sessions show what came of it. If rounds take long, one will.
   * @throws {Error} if the override cannot be kept; then nothing has changed.
   */
  setOverride(client: string, path: string | undefined, by: string): Promise<boolean>;
  /** Reads the config file again. @throws {ConfigError} if it has a mistake; then nothing has changed. */
  reload(): Promise<void>;
}
