import { lstatSync, watch, type FSWatcher } from 'node:fs';
import { whyDenied } from '../denied.js';
import { hasCode, reasonOf } from './errno.js';

export interface WatchListener {
  /** Something happened to the entry of this name; undefined: to the directory itself, or it cannot be told to what. */
  readonly onEvent: (name: string | undefined) => void;
  /** Too much happens: nothing is heard until {@link DirectoryWatch.follow} is called again, a while later. */
  readonly onNoise: () => void;
  /** The watch broke. */
  readonly onLost: () => void;
}

/** Most events within one interval. A hook causes three, and one OpenVPN runs some three hundred hooks a second. */
export const MOST_EVENTS = 500;
export const INTERVAL_MS = 100;
/** How long a noisy directory is not watched at first, and at most; milliseconds. */
const PAUSE_MS = { first: 1_000, longest: 30_000 };

/**
 * Listens to one directory through inotify, and stops listening when it gets too noisy. libuv reads events until there
 * are none left (src/unix/linux.c, uv__inotify_read), so who makes them faster than we take them would keep the whole
 * process at that for ever; and all watches of a process share one queue of fs.inotify.max_queued_events, so that those
 * of others would be lost. Closing the watch ends both: what is queued of it is skipped.
 */
export class DirectoryWatch {
  #watcher: FSWatcher | undefined;
  #identity: string | undefined;
  #events = 0;
  #intervalEnd = 0;
  #since = 0;
  /** `performance.now()` from which on it may be watched again; 0 if it was quiet. */
  #quietAt = 0;
  #pauseMs = PAUSE_MS.first;

  constructor(
    readonly path: string,
    private readonly listener: WatchListener,
  ) {}

  /** Whether it is not watched because too much happened there. */
  get isNoisy(): boolean {
    return this.#watcher === undefined && this.#quietAt > 0;
  }

  /** Whether events are heard. */
  get isWatching(): boolean {
    return this.#watcher !== undefined;
  }

  /**
   * Watches what is there under that name now, unless it is too noisy.
   * @returns whether something may have been missed: another directory is there than before, or it was not watched.
   * @throws {Error} from the file system, e.g. ENOENT, and from inotify, e.g. ENOSPC.
   */
  follow(): boolean {
    // a directory that is made again can have the inode number of the one before
    const { dev, ino, birthtimeNs } = lstatSync(this.path, { bigint: true });
    const identity = `${dev}:${ino}:${birthtimeNs}`;
    const isSame = this.#identity === identity;
    if (isSame && this.#watcher !== undefined) return false;
    this.#stop();
    this.#identity = identity;
    const now = performance.now();
    if (now < this.#quietAt) return !isSame;
    this.#watcher = watch(this.path, (_type, name) => {
      this.#hear(name);
    }).on('error', () => {
      this.close();
      this.listener.onLost();
    });
    this.#quietAt = 0;
    this.#since = now;
    return true;
  }

  close(): void {
    this.#stop();
    this.#identity = undefined;
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#events = 0;
  }

  #hear(name: string | null): void {
    // a few may still come after it was closed
    if (this.#watcher === undefined) return;
    const now = performance.now();
    if (now >= this.#intervalEnd) {
      this.#intervalEnd = now + INTERVAL_MS;
      this.#events = 0;
    }
    if (++this.#events <= MOST_EVENTS) {
      this.listener.onEvent(name ?? undefined);
      return;
    }
    this.#stop();
    // noisy again at once: the next pause is longer
    const wasQuiet = now - this.#since > 2 * PAUSE_MS.first;
    this.#pauseMs = wasQuiet ? PAUSE_MS.first : Math.min(2 * this.#pauseMs, PAUSE_MS.longest);
    this.#quietAt = now + this.#pauseMs;
    this.listener.onNoise();
  }
}

/** What to say of a directory that cannot be watched. */
export function unwatched(path: string, rescanMs: number, error: unknown): string {
  const limits = 'mend it with: sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=65536';
  const reason = hasCode(error, 'EACCES') ? whyDenied(error, 'read', path) : `${reasonOf(error)}: ${limits}`;
  return `cannot watch ${path}, which is read every ${rescanMs / 1000} s only: ${reason}`;
}
