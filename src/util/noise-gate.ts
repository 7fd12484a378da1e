/** Most events within one interval. A hook causes three, and one OpenVPN runs some three hundred hooks a second. */
export const MOST_EVENTS = 500;
export const INTERVAL_MS = 100;
/** How long what is noisy is not watched at first, and at most; milliseconds. */
const PAUSE_MS = { first: 1_000, longest: 30_000 };

/**
 * Says when too much happens to go on watching, and for how long not to. libuv reads the events of inotify until there are
 * none left (src/unix/linux.c, uv__inotify_read), so who makes them faster than we take them would keep the whole process at
 * that for ever; and all watches of a process share one queue of fs.inotify.max_queued_events, so that those of others would
 * be lost. Closing the watch ends both: what is queued of it is skipped.
 */
export class NoiseGate {
  #events = 0;
  #intervalEnd = 0;
  #since = 0;
  #quietAt = 0;
  #pauseMs = PAUSE_MS.first;

  /** Milliseconds until it may be watched again; 0 if it may. */
  get waitMs(): number {
    return Math.max(0, this.#quietAt - performance.now());
  }

  /** It is watched from now on. */
  begin(): void {
    this.#events = 0;
    this.#since = performance.now();
  }

  /** One more event. @returns whether it was too many, so that the watch has to be closed. */
  count(): boolean {
    const now = performance.now();
    if (now >= this.#intervalEnd) {
      this.#intervalEnd = now + INTERVAL_MS;
      this.#events = 0;
    }
    if (++this.#events <= MOST_EVENTS) return false;
    // noisy again at once: the next pause is longer
    const wasQuiet = now - this.#since > 2 * PAUSE_MS.first;
    this.#pauseMs = wasQuiet ? PAUSE_MS.first : Math.min(2 * this.#pauseMs, PAUSE_MS.longest);
    this.#quietAt = now + this.#pauseMs;
    return true;
  }
}
