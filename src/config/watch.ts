import { posix } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { watch, type FSWatcher } from 'chokidar';

import { NoiseGate } from '../util/noise-gate.js';
import type { Config } from './config.js';
import { readConfigText } from './load.js';
import { lookups, type Lookup } from './lookups.js';
import { parseConfig } from './parse.js';
import { FilePoll } from './poll.js';
import { ConfigError } from './problem.js';

/** Milliseconds without an event after which a changed file is read: the writes of one save come closer together. */
const QUIET_BEFORE_READING = 10;
/**
 * Without an event for this many turns of this many milliseconds, a file that is still wrong is taken for a mistake, not
 * for half a save. In turns, since a machine that stood still was not quiet: that takes one turn at most.
 */
const QUIET_TURNS = 5;
const QUIET_TURN = 30;
/** Milliseconds after which it is read even if the events do not cease. */
const LONGEST_WAIT = 1000;

/** How often in a row what is there and is not watched is tried again. */
const MAX_RETRIES = 3;

const CUT_OFF =
  'is mounted here by itself, and was replaced where it is mounted from: what is saved there is not seen here; ' +
  'mount its directory instead, and restart';

/** Who wants to know of changes to a config file. */
export interface ConfigListener {
  /** The file holds a new config, or again the one in force after a mistake in between. */
  readonly onConfig: (config: Config) => void;
  /** The file cannot be used or watched; the config in force stays. Told once per mistake. */
  readonly onMistake: (error: ConfigError) => void;
}

/** A config file under watch. */
export interface ConfigWatcher {
  /** The config in force: the last that had no mistake. */
  readonly config: Config;
  /**
   * Reads the file now, whether or not a change of it was seen.
   * @throws {ConfigError} if it has a mistake; the config in force stays.
   */
  reload(): Promise<void>;
  close(): Promise<void>;
}

type Reading =
  | { readonly text: string; readonly config: Config }
  /** `isUnread`: its content is not known, so that it may be right. */
  | { readonly error: ConfigError; readonly isUnread: boolean };

async function read(file: string): Promise<Reading> {
  try {
    const text = await readConfigText(file);
    const result = parseConfig(text);
    return result.ok
      ? { text, config: result.config }
      : { error: new ConfigError(file, result.problems), isUnread: false };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { error, isUnread: true };
  }
}

/**
 * What has to be watched to hear of every change to a way: the directories that are looked into, with their identities.
 * Not the root: chokidar forgets everything below it. What stands there is watched itself, which misses only that
 * something new takes a removed one's name.
 */
function watchTargets(way: readonly Lookup[]): Map<string, string | undefined> {
  const identities = new Map(
    way.map(({ directory, name, identity }) => [posix.join(directory, name), identity]),
  );
  const targets = way.map(({ directory, name }) => (directory === '/' ? `/${name}` : directory));
  return new Map(targets.map((target) => [target, identities.get(target)]));
}

/** Whether what happened to a name in a watched directory, or to the watched thing itself, can change the way. */
function concerns(way: readonly Lookup[], watched: string, name: string | null): boolean {
  return way.some(
    (lookup) =>
      (lookup.directory === watched && (!name || name === lookup.name)) ||
      (posix.join(lookup.directory, lookup.name) === watched && name === posix.basename(watched)),
  );
}

/** Whether everything that is there is watched. */
function isWatched(watcher: FSWatcher, targets: ReadonlyMap<string, string | undefined>): boolean {
  const watched = watcher.getWatched();
  return [...targets].every(
    ([target, identity]) =>
      identity === undefined ||
      target in watched ||
      watched[posix.dirname(target)]?.includes(posix.basename(target)),
  );
}

class FileWatch implements ConfigWatcher {
  config: Config;
  readonly #file: string;
  readonly #listener: ConfigListener;
  /** The text in force. */
  #text: string;
  /** What was last said to be wrong, until the file is right again. */
  #told: string | undefined;
  #isUnread = false;
  #way: readonly Lookup[] = [];
  #watcher: FSWatcher | undefined;
  /** Who may write to a directory on the way can make noise there. */
  readonly #gate = new NoiseGate();
  #settle: () => void = () => undefined;
  #quietTimer: NodeJS.Timeout | undefined;
  /** For what the watcher is not told of. */
  readonly #poll: FilePoll;
  #retries = 0;
  #closed = false;
  /** Looks happen one after the other. */
  #looking: Promise<void> = Promise.resolve();
  #readTimer: NodeJS.Timeout | undefined;
  #reportTimer: NodeJS.Timeout | undefined;
  #firstEvent: number | undefined;

  constructor(file: string, listener: ConfigListener, first: { text: string; config: Config }) {
    this.#file = file;
    this.#listener = listener;
    this.config = first.config;
    this.#text = first.text;
    this.#poll = new FilePoll(file, {
      onChange: () => {
        this.#stir();
      },
      isUnread: () => this.#isUnread,
      onCutOff: () => {
        listener.onMistake(new ConfigError(file, [{ message: CUT_OFF }]));
      },
    });
  }

  async start(): Promise<void> {
    await this.#poll.start();
    await this.#followWay();
  }

  async reload(): Promise<void> {
    const reading = await read(this.#file);
    if ('error' in reading) throw reading.error;
    const look = this.#looking.then(() => (this.#closed ? undefined : this.#readAgain(true)));
    this.#looking = look;
    await look;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#poll.stop();
    clearTimeout(this.#readTimer);
    clearTimeout(this.#reportTimer);
    clearTimeout(this.#quietTimer);
    await this.#looking;
    await this.#watcher?.close();
  }

  #stir(): void {
    if (this.#closed) return;
    const now = performance.now();
    this.#firstEvent ??= now;
    clearTimeout(this.#readTimer);
    clearTimeout(this.#reportTimer);
    const left = Math.max(0, this.#firstEvent + LONGEST_WAIT - now);
    this.#readTimer = setTimeout(
      () => {
        this.#firstEvent = undefined;
        this.#look(false);
      },
      Math.min(QUIET_BEFORE_READING, left),
    );
    this.#reportAfter(QUIET_TURNS);
  }

  #reportAfter(turns: number): void {
    this.#reportTimer = setTimeout(() => {
      if (turns > 1) this.#reportAfter(turns - 1);
      else this.#look(true);
    }, QUIET_TURN);
  }

  #look(settled: boolean): void {
    this.#looking = this.#looking.then(async () => {
      if (this.#closed) return;
      await this.#readAgain(settled);
      await this.#followWay();
    });
  }

  async #readAgain(settled: boolean): Promise<void> {
    const reading = await read(this.#file);
    if (this.#closed) return;
    this.#isUnread = 'error' in reading && reading.isUnread;
    if ('error' in reading) {
      if (settled) this.#tell(reading.error);
      return;
    }
    if (reading.text === this.#text && this.#told === undefined) return;
    this.#told = undefined;
    this.#text = reading.text;
    this.config = reading.config;
    this.#listener.onConfig(reading.config);
  }

  #tell(error: ConfigError): void {
    if (error.message === this.#told) return;
    this.#told = error.message;
    this.#listener.onMistake(error);
  }

  /** Too much happens: until that is over, only the poll hears of changes. */
  #stopWatching(): void {
    // what it holds is closed at once, so that nothing more is heard
    void this.#watcher?.close();
    this.#settle();
    this.#way = [];
    this.#watchLater();
  }

  #watchLater(): void {
    clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(() => {
      this.#look(false);
    }, this.#gate.waitMs);
  }

  /** Watches everything on the way to the file; anew when some of it is no longer the same. */
  async #followWay(): Promise<void> {
    const way = await lookups(this.#file);
    const targets = watchTargets(way);
    const same = this.#watcher && isDeepStrictEqual(targets, watchTargets(this.#way));
    this.#way = way;
    if (this.#closed || same) return;
    // chokidar shares one native watch per path, so the old one has to be gone before the path is watched anew
    await this.#watcher?.close();
    this.#watcher = undefined;
    if (this.#gate.waitMs > 0) {
      this.#watchLater();
      return;
    }
    this.#gate.begin();
    const watcher = watch([...targets.keys()], {
      depth: 0,
      ignoreInitial: true,
      atomic: false,
      ignored: (path: string) => !targets.has(path),
    });
    this.#watcher = watcher;
    // it is ready, or closed before it was
    const settled = new Promise<void>((resolve) => {
      watcher.once('ready', resolve);
      this.#settle = resolve;
    });
    // chokidar's own events drop what follows within 50 ms of another; the raw ones are all there
    watcher.on('raw', (event, name: string | null, details) => {
      const { watchedPath } = details as { readonly watchedPath: string };
      if (this.#gate.count()) {
        this.#stopWatching();
        return;
      }
      if (!concerns(this.#way, watchedPath, name)) return;
      // one that was away just when it was to be watched may not be watched, and chokidar does not tell
      if (event === 'rename' && targets.has(posix.join(watchedPath, name ?? ''))) this.#way = [];
      this.#stir();
    });
    // chokidar lets go of a directory that was away for a moment, even if the same one is back
    watcher.on('unlinkDir', () => {
      this.#way = [];
      this.#stir();
    });
    watcher.on('error', (error) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#tell(new ConfigError(this.#file, [{ message: `cannot be watched for changes: ${why}` }]));
    });
    await settled;
    if (watcher.closed) return;
    // one that was away just then, and is back before anything else was watched; or one that cannot be
    if (isWatched(watcher, targets)) this.#retries = 0;
    else if (this.#retries++ < MAX_RETRIES) this.#way = [];
    // what happened before the watch was there
    this.#stir();
  }
}

/**
 * Reads a config file and watches it: written in place, replaced, removed and made again, reached through links that
 * are turned elsewhere, mounted by itself. A save is told within some 15 ms, or a second where the kernel reports none
 * or somebody makes noise on the way to it; a mistake after 150 ms without another change.
 * @throws {ConfigError} if the file is wrong to begin with.
 */
export async function watchConfig(file: string, listener: ConfigListener): Promise<ConfigWatcher> {
  const first = await read(file);
  if ('error' in first) throw first.error;
  const watched = new FileWatch(file, listener, first);
  await watched.start();
  return watched;
}
