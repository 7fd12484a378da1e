import { posix } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { watch, type FSWatcher } from 'chokidar';
import { WatchThrottle } from '../util/watch-throttle.js';
import type { Config } from './config.js';
import { lookups, type Lookup } from './lookups.js';
import { FilePoll } from './poll.js';
import { ConfigError } from './problem.js';
import { readConfig } from './read-config.js';
import { concerns, isWatched, watchTargets } from './watch-targets.js';

/**
 * Milliseconds without an event after which a changed file is read. The pauses between the writes of one save are
 * shorter.
 */
const QUIET_BEFORE_READING_MS = 10;
/**
 * Milliseconds without an event after which a mistake is reported, as a number of timers that run one after the other.
 * Before that the file may be half saved. It is not one long timer: if the whole machine is suspended, a running timer
 * expires, so the suspension would count as the whole wait. This way it ends at most one of the timers.
 */
const REPORT_TIMERS = 5;
const REPORT_TIMER_MS = 30;
/** Milliseconds after which the file is read even if events continue. */
const MAX_WAIT_MS = 1000;

/** How many times in a row the watch is set up again, if something that exists is not watched. */
const MAX_RETRIES = 3;

/** The message for a file whose original can no longer be seen through its mount. */
const CUT_OFF =
  'is a file that is mounted by itself, and the original was replaced: subflowd does not see what is saved there; ' +
  'mount its directory instead, and restart subflowd';

/** Receives the changes of a config file. */
export interface ConfigListener {
  /** The file has a new config, or after a mistake the config in force again. */
  readonly onConfig: (config: Config) => void;
  /** The file cannot be used or watched, so the config in force stays. Called once for each mistake. */
  readonly onMistake: (error: ConfigError) => void;
}

/** A config file that is watched. */
export interface ConfigWatcher {
  /** The config in force: the last that had no mistake. */
  readonly config: Config;
  /**
   * Reads the file now, even if no change was seen.
   * @throws {ConfigError} if it has a mistake; the config in force stays.
   */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** Watches one config file; see {@link watchConfig}. */
class FileWatch implements ConfigWatcher {
  config: Config;
  readonly #file: string;
  readonly #listener: ConfigListener;
  /** The text of the config in force. */
  #text: string;
  /** The mistake that was last reported; undefined: none since the file was last right. */
  #reported: string | undefined;
  /** Whether the last read failed, so that the content may be right. */
  #isUnread = false;
  #isClosed = false;

  /** Ends with the last of the queued reads. They happen one after the other. */
  #reading: Promise<void> = Promise.resolve();
  /** Starts the read after an event. */
  #readTimer: NodeJS.Timeout | undefined;
  /** Starts the read whose mistake is reported. */
  #reportTimer: NodeJS.Timeout | undefined;
  /** The first event after the last read, `performance.now()`. */
  #firstEvent: number | undefined;
  /** Finds changes that the kernel reports no event for. */
  readonly #poll: FilePoll;

  #watcher: FSWatcher | undefined;
  /** The lookups whose directories are watched; empty: the watch is set up again after the next read. */
  #pathLookups: readonly Lookup[] = [];
  /** How many times in a row the watch was set up again: see {@link MAX_RETRIES}. */
  #retries = 0;
  /** Counts events, because other users may write to a directory on the path. Too many end the watch for some time. */
  readonly #throttle = new WatchThrottle();
  /** Sets the watch up again when that time is over. */
  #resumeTimer: NodeJS.Timeout | undefined;
  /** Ends the wait for the watcher that is being set up. */
  #stopWaiting: () => void = () => undefined;

  constructor(file: string, listener: ConfigListener, first: { text: string; config: Config }) {
    this.#file = file;
    this.#listener = listener;
    this.config = first.config;
    this.#text = first.text;
    this.#poll = new FilePoll(file, {
      onChange: () => {
        this.#scheduleRead();
      },
      isUnread: () => this.#isUnread,
      onCutOff: () => {
        listener.onMistake(new ConfigError(file, [{ message: CUT_OFF }]));
      },
    });
  }

  async start(): Promise<void> {
    await this.#poll.start();
    await this.#followPath();
  }

  async reload(): Promise<void> {
    const result = await readConfig(this.#file);
    if ('error' in result) throw result.error;
    const next = this.#reading.then(() => (this.#isClosed ? undefined : this.#readAgain(true)));
    this.#reading = next;
    await next;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#poll.stop();
    clearTimeout(this.#readTimer);
    clearTimeout(this.#reportTimer);
    clearTimeout(this.#resumeTimer);
    await this.#reading;
    await this.#watcher?.close();
  }

  /** After an event: reads the file soon, and again when a mistake may be reported. */
  #scheduleRead(): void {
    if (this.#isClosed) return;
    const now = performance.now();
    this.#firstEvent ??= now;
    clearTimeout(this.#readTimer);
    clearTimeout(this.#reportTimer);
    const left = Math.max(0, this.#firstEvent + MAX_WAIT_MS - now);
    this.#readTimer = setTimeout(
      () => {
        this.#firstEvent = undefined;
        this.#queueRead(false);
      },
      Math.min(QUIET_BEFORE_READING_MS, left),
    );
    this.#startReportTimer(REPORT_TIMERS);
  }

  /** Starts that many timers, one after the other. Then reads the file, and reports a mistake. */
  #startReportTimer(count: number): void {
    this.#reportTimer = setTimeout(() => {
      if (count > 1) this.#startReportTimer(count - 1);
      else this.#queueRead(true);
    }, REPORT_TIMER_MS);
  }

  #queueRead(reportsMistake: boolean): void {
    this.#reading = this.#reading.then(async () => {
      if (this.#isClosed) return;
      await this.#readAgain(reportsMistake);
      await this.#followPath();
    });
  }

  /** Reads the file. If it is right and has changed, or ends a mistake, its config is now in force. */
  async #readAgain(reportsMistake: boolean): Promise<void> {
    const result = await readConfig(this.#file);
    if (this.#isClosed) return;
    this.#isUnread = 'error' in result && result.isUnread;
    if ('error' in result) {
      if (reportsMistake) this.#report(result.error);
      return;
    }
    if (result.text === this.#text && this.#reported === undefined) return;
    this.#reported = undefined;
    this.#text = result.text;
    this.config = result.config;
    this.#listener.onConfig(result.config);
  }

  #report(error: ConfigError): void {
    if (error.message === this.#reported) return;
    this.#reported = error.message;
    this.#listener.onMistake(error);
  }

  /** Watches all directories on the path to the file. Sets the watch up again if one of them has changed. */
  async #followPath(): Promise<void> {
    const pathLookups = await lookups(this.#file);
    const targets = watchTargets(pathLookups);
    const isSame = this.#watcher && isDeepStrictEqual(targets, watchTargets(this.#pathLookups));
    this.#pathLookups = pathLookups;
    if (this.#isClosed || isSame) return;
    // chokidar shares one native watch for each path, so the old one must be closed before the path is watched again
    await this.#watcher?.close();
    this.#watcher = undefined;
    if (this.#throttle.waitMs > 0) this.#watchLater();
    else await this.#watchTargets(targets);
  }

  /** Stops the watch, because there are too many events. Until it starts again, only the poll finds changes. */
  #pauseWatch(): void {
    // chokidar closes its descriptors at once, so no event follows
    void this.#watcher?.close();
    this.#stopWaiting();
    this.#pathLookups = [];
    this.#watchLater();
  }

  #watchLater(): void {
    clearTimeout(this.#resumeTimer);
    this.#resumeTimer = setTimeout(() => {
      this.#queueRead(false);
    }, this.#throttle.waitMs);
  }

  /** Starts a watch. Resolves when the targets are watched; the file is then read again. */
  async #watchTargets(targets: ReadonlyMap<string, string | undefined>): Promise<void> {
    this.#throttle.begin();
    const watcher = watch([...targets.keys()], {
      depth: 0,
      ignoreInitial: true,
      atomic: false,
      ignored: (path: string) => !targets.has(path),
    });
    this.#watcher = watcher;
    const ready = new Promise<void>((resolve) => {
      watcher.once('ready', resolve);
      // if the watch is closed before it is ready
      this.#stopWaiting = resolve;
    });
    this.#listen(watcher, targets);
    await ready;
    if (watcher.closed) return;
    // A target was missing for a moment and came back before the others were watched, or it cannot be watched.
    if (isWatched(watcher, targets)) this.#retries = 0;
    else if (this.#retries++ < MAX_RETRIES) this.#pathLookups = [];
    // The file may have changed before the watch began.
    this.#scheduleRead();
  }

  /** Schedules a read for each event that concerns the file. */
  #listen(watcher: FSWatcher, targets: ReadonlyMap<string, string | undefined>): void {
    // chokidar's own events leave out what follows within 50 ms of another event; the raw ones are complete
    watcher.on('raw', (event, name: string | null, details) => {
      const { watchedPath } = details as { readonly watchedPath: string };
      if (this.#throttle.count()) {
        this.#pauseWatch();
        return;
      }
      if (!concerns(this.#pathLookups, watchedPath, name)) return;
      // chokidar may not watch a target that did not exist when the watch began, and does not report that
      if (event === 'rename' && targets.has(posix.join(watchedPath, name ?? ''))) this.#pathLookups = [];
      this.#scheduleRead();
    });
    // chokidar stops watching a directory that was missing for a moment, even if the same one is back
    watcher.on('unlinkDir', () => {
      this.#pathLookups = [];
      this.#scheduleRead();
    });
    watcher.on('error', (error) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#report(new ConfigError(this.#file, [{ message: `cannot be watched for changes: ${why}` }]));
    });
  }
}

/**
 * Reads a config file and watches it. The file can be written in place, replaced, removed and made again, reached
 * through links that change, or be mounted by itself. A save is reported within about 15 ms, or within a second if the
 * kernel reports no event or there are too many on the path. A mistake is reported after 150 ms without another
 * change.
 * @throws {ConfigError} if the file has a mistake now.
 */
export async function watchConfig(file: string, listener: ConfigListener): Promise<ConfigWatcher> {
  const first = await readConfig(file);
  if ('error' in first) throw first.error;
  const watched = new FileWatch(file, listener, first);
  await watched.start();
  return watched;
}
