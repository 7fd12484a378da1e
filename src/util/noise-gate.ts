/** Largest number of events in one interval. A hook causes three events, and one OpenVPN runs about 300 hooks per second. */
export const MOST_EVENTS = 500;
/** Milliseconds. */
export const INTERVAL_MS = 100;
/** How long a noisy directory is not watched: the first time, and at most; milliseconds. */
const PAUSE_MS = { first: 1_000, longest: 30_000 };

/**
 * Decides when a directory has too many events to be watched, and how long not to watch it. There are two reasons:
 * - libuv reads events of inotify until there are none (src/unix/linux.c, uv__inotify_read). Whoever causes them faster than
 *   we read them would stop the whole process.
 * - All watches of a process share one queue of fs.inotify.max_queued_events. If it is full, events of other directories are
 *   lost.
 * After the watch is closed, its queued events are skipped.
 */
export class NoiseGate {
  #events = 0;
  #intervalEnd = 0;
  #since = 0;
  #quietAt = 0;
  #pauseMs = PAUSE_MS.first;

  /** Milliseconds until the directory may be watched again; 0 if it may now. */
  get waitMs(): number {
    return Math.max(0, this.#quietAt - performance.now());
  }

  /** Call this when the watch begins. */
  begin(): void {
    this.#events = 0;
    this.#since = performance.now();
  }

  /** Counts an event. @returns whether there were too many, so that the watch must be closed. */
  count(): boolean {
    const now = performance.now();
    if (now >= this.#intervalEnd) {
      this.#intervalEnd = now + INTERVAL_MS;
      this.#events = 0;
    }
    if (++this.#events <= MOST_EVENTS) return false;
    // noisy again soon after the last pause: make the next pause longer
    const wasQuiet = now - this.#since > 2 * PAUSE_MS.first;
    this.#pauseMs = wasQuiet ? PAUSE_MS.first : Math.min(2 * this.#pauseMs, PAUSE_MS.longest);
    this.#quietAt = now + this.#pauseMs;
    return true;
  }
}
