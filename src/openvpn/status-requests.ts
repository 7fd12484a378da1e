import { Pace } from '../util/pace.js';
import type { Management } from './management/management.js';

/** News within this many milliseconds cause one request. */
const GATHER_MS = 100;
/** Shortest pause between two requests because of news, milliseconds. */
const MIN_NEWS_PAUSE_MS = 1_000;
/** How long the pause between two requests without news may become while the hooks report every session. */
const PAUSE_LIMIT = { factor: 4000, longestMs: 300_000 };

/** What {@link StatusRequests} needs of its server. */
export interface StatusRequestsOptions {
  /** Milliseconds between two requests without news. */
  readonly pollMs: number;
  /** Called before each request without news, also if there is no management. */
  readonly onPoll: () => void;
  /** Whether the hooks recorded every session, so that `status` only confirms what they reported. */
  readonly isConfirmation: () => boolean;
}

/**
 * Decides when to ask management for `status`: regularly, and soon after news, which is that a client joined or left. A
 * burst of news causes one request.
 */
export class StatusRequests {
  readonly #pace = new Pace();
  #pollTimer: NodeJS.Timeout | undefined;
  #newsTimer: NodeJS.Timeout | undefined;
  #lastNews = 0;

  constructor(
    private readonly management: Management | undefined,
    private readonly options: StatusRequestsOptions,
  ) {}

  start(): void {
    this.#pollAfter(this.options.pollMs);
  }

  stop(): void {
    clearTimeout(this.#pollTimer);
    clearTimeout(this.#newsTimer);
    this.#newsTimer = undefined;
  }

  /** Handling one answer took this many milliseconds. The longer it takes, the longer the pause may become. */
  addDuration(ms: number): void {
    this.#pace.addDuration(ms);
  }

  /**
   * Asks for `status` soon, because a client joined or left. The answer confirms it and has the client ID. If management is
   * disconnected, connects again now, because the news shows that OpenVPN runs.
   */
  requestSoon(): void {
    this.management?.retryNow();
    if (this.management === undefined || this.#newsTimer !== undefined) return;
    const wait = Math.max(GATHER_MS, this.#lastNews + MIN_NEWS_PAUSE_MS - performance.now());
    this.#newsTimer = setTimeout(() => {
      this.#newsTimer = undefined;
      this.#lastNews = performance.now();
      this.management?.requestStatus();
    }, wait);
  }

  #pollAfter(wait: number): void {
    const { pollMs, onPoll, isConfirmation } = this.options;
    this.#pollTimer = setTimeout(() => {
      onPoll();
      this.management?.requestStatus();
      this.#pollAfter(isConfirmation() ? this.#pace.pauseMs({ ...PAUSE_LIMIT, leastMs: pollMs }) : pollMs);
    }, wait);
  }
}
