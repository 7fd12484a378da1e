import { lstatSync, watch, type FSWatcher } from 'node:fs';
import { whyDenied } from '../../util/denied.js';
import { NoiseGate } from '../../util/noise-gate.js';
import { hasCode, reasonOf } from '../../util/errno.js';

export interface WatchListener {
  /** Something happened to the entry of this name; undefined: to the directory itself, or it cannot be told to what. */
  readonly onEvent: (name: string | undefined) => void;
  /** Too much happens: nothing is heard until {@link DirectoryWatch.follow} is called again, a while later. */
  readonly onNoise: () => void;
  /** The watch broke. */
  readonly onLost: () => void;
}

/** Listens to one directory through inotify, and stops listening when it gets too noisy. */
export class DirectoryWatch {
  #watcher: FSWatcher | undefined;
  #identity: string | undefined;
  readonly #gate = new NoiseGate();
  #isNoisy = false;

  constructor(
    readonly path: string,
    private readonly listener: WatchListener,
  ) {}

  /** Whether it is not watched because too much happened there. */
  get isNoisy(): boolean {
    return this.#watcher === undefined && this.#isNoisy;
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
    if (this.#gate.waitMs > 0) return !isSame;
    this.#watcher = watch(this.path, (_type, name) => {
      this.#hear(name);
    }).on('error', () => {
      this.close();
      this.listener.onLost();
    });
    this.#gate.begin();
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

  #hear(name: string | null): void {
    // a few may still come after it was closed
    if (this.#watcher === undefined) return;
    if (!this.#gate.count()) {
      this.listener.onEvent(name ?? undefined);
      return;
    }
    this.#stop();
    this.#isNoisy = true;
    this.listener.onNoise();
  }
}

/** What to say of a directory that cannot be watched. */
export function describeUnwatched(path: string, rescanMs: number, error: unknown): string {
  const limits = 'mend it with: sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=65536';
  const reason = hasCode(error, 'EACCES') ? whyDenied(error, 'read', path) : `${reasonOf(error)}: ${limits}`;
  return `cannot watch ${path}, which is read every ${rescanMs / 1000} s only: ${reason}`;
}
