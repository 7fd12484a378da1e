/** Largest number of events in one interval. A hook causes three events, and one OpenVPN runs about 300 hooks per second. */
export const MAX_EVENTS = 500;
/** Time over which events are counted, milliseconds. */
export const INTERVAL_MS = 100;
/** How long a directory is not watched after too many events: the first time, and at most; milliseconds. */
const PAUSE_MS = { first: 1_000, longest: 30_000 };

/**
 * Decides when a directory has too many events to be watched, and how long not to watch it. There are two reasons:
 * - libuv reads events of inotify until there are none (src/unix/linux.c, uv__inotify_read). If somebody causes them faster than
 *   we read them, the process does nothing else.
 * - All watches of a process share one queue of fs.inotify.max_queued_events. If it is full, events of other directories are
 *   lost.
 * After the watch is closed, its queued events are skipped.
 */
export class WatchThrottle {
  #events = 0;
  /** These times are of `performance.now()`. */
  #intervalEnd = 0;
  #watchStart = 0;
  #pauseEnd = 0;
  #pauseMs = PAUSE_MS.first;

  /** Milliseconds until the directory may be watched again; 0 if it may now. */
  get waitMs(): number {
    return Math.max(0, this.#pauseEnd - performance.now());
  }

  /** Call this when the watch begins. */
  begin(): void {
    this.#events = 0;
    this.#watchStart = performance.now();
  }

  /** Counts an event. @returns whether there were too many, so that the watch must be closed. */
  count(): boolean {
    const now = performance.now();
    if (now >= this.#intervalEnd) {
      this.#intervalEnd = now + INTERVAL_MS;
      this.#events = 0;
    }
    if (++this.#events <= MAX_EVENTS) return false;
    // If there are too many events again soon after the last pause, make the next pause longer.
    const wasWatchedLong = now - this.#watchStart > 2 * PAUSE_MS.first;
    this.#pauseMs = wasWatchedLong ? PAUSE_MS.first : Math.min(2 * this.#pauseMs, PAUSE_MS.longest);
    this.#pauseEnd = now + this.#pauseMs;
    return true;
  }
}
