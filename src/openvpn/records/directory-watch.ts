import { lstatSync, watch, type FSWatcher } from 'node:fs';
import { whyDenied } from '../../util/denied.js';
import { WatchThrottle } from '../../util/watch-throttle.js';
import { hasCode, reasonOf } from '../../util/errno.js';

/** Receives the events of a {@link DirectoryWatch}. */
export interface WatchListener {
  /** The entry with this name changed; undefined: the directory itself, or inotify does not report which entry. */
  readonly onEvent: (name: string | undefined) => void;
  /** There were too many events. No more follow until {@link DirectoryWatch.update} is called after a pause. */
  readonly onNoise: () => void;
  /** The watch failed. */
  readonly onLost: () => void;
}

/** Watches one directory by inotify, and stops if too many events arrive ({@link WatchThrottle} explains why). */
export class DirectoryWatch {
  #watcher: FSWatcher | undefined;
  /** Device, inode and time of birth of the watched directory. */
  #identity: string | undefined;
  readonly #throttle = new WatchThrottle();
  #isNoisy = false;

  constructor(
    readonly path: string,
    private readonly listener: WatchListener,
  ) {}

  /** Whether it is not watched because too many events arrived. */
  get isNoisy(): boolean {
    return this.#watcher === undefined && this.#isNoisy;
  }

  /** Whether inotify reports events. */
  get isWatching(): boolean {
    return this.#watcher !== undefined;
  }

  /**
   * Watches the directory that has this path now, unless the pause after too many events is not over.
   * @returns whether events may have been missed: the directory is another one than before, or it was not watched.
   * @throws {Error} from the file system, e.g. ENOENT, and from inotify, e.g. ENOSPC.
   */
  update(): boolean {
    // a new directory can have the inode number of the removed one
    const { dev, ino, birthtimeNs } = lstatSync(this.path, { bigint: true });
    const identity = `${dev}:${ino}:${birthtimeNs}`;
    const isSame = this.#identity === identity;
    if (isSame && this.#watcher !== undefined) return false;
    this.#stop();
    this.#identity = identity;
    if (this.#throttle.waitMs > 0) return !isSame;
    this.#watcher = watch(this.path, (_type, name) => {
      this.#onEvent(name);
    }).on('error', () => {
      this.close();
      this.listener.onLost();
    });
    this.#throttle.begin();
    this.#isNoisy = false;
    return true;
  }

  close(): void {
    this.#stop();
    this.#identity = undefined;
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #onEvent(name: string | null): void {
    // a few events still arrive after the close
    if (this.#watcher === undefined) return;
    if (!this.#throttle.count()) {
      this.listener.onEvent(name ?? undefined);
      return;
    }
    this.#stop();
    this.#isNoisy = true;
    this.listener.onNoise();
  }
}

/**
 * Text of the problem that a directory cannot be watched.
 * @param rescanMs pause between two scans, milliseconds.
 * @param grant the command that lets this process read it, if the caller knows one.
 */
export function describeUnwatched(path: string, rescanMs: number, error: unknown, grant?: string): string {
  const remedy = 'to fix it: sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=65536';
  const reason = hasCode(error, 'EACCES')
    ? whyDenied(error, 'read', path, grant)
    : `${reasonOf(error)}; ${remedy}`;
  return `cannot watch ${path}, so it is only read every ${rescanMs / 1000} s: ${reason}`;
}
