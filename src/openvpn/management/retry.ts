import { watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Backoff } from '../../util/backoff.js';
import type { ManagementTarget } from './listener.js';

/** Milliseconds from a new socket until it accepts connections: OpenVPN binds it, and listens a moment later. */
const LISTEN_MS = 20;

/**
 * When to connect to OpenVPN again: after the back-off, or as soon as OpenVPN makes its unix socket. OpenVPN asks only once
 * whether to admit a client. If no management client is connected then, that client waits for a minute.
 */
export class Retry {
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;

  constructor(
    private readonly target: ManagementTarget,
    private readonly backoff: Backoff,
    private readonly connect: () => void,
  ) {}

  /** Calls `connect` once, unless {@link cancel} is called before. */
  later(): void {
    this.#timer = setTimeout(this.connect, this.backoff.next());
    if ('socket' in this.target) this.#watch(this.target.socket);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** The connection lasted: the back-off starts again from its shortest pause. */
  reset(): void {
    this.backoff.reset();
  }

  #watch(path: string): void {
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, (_type, name) => {
        if (name !== basename(path)) return;
        this.cancel();
        this.backoff.reset();
        this.#timer = setTimeout(this.connect, LISTEN_MS);
      });
      // the directory was removed
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // no such directory, or it may not be read
    }
  }
}
