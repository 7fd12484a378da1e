/** Least time between two calls of a listener, milliseconds: a storm of events is one piece of news. */
const QUIET_MS = 100;

/** Calls back at once when something changed, and once more later for all that changed meanwhile. */
export class Doorbell {
  readonly #listener: () => void;
  #timer: NodeJS.Timeout | undefined;
  #again = false;

  constructor(listener: () => void) {
    this.#listener = listener;
  }

  ring(): void {
    this.#again = this.#timer !== undefined;
    if (this.#again) return;
    this.#listener();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#again) this.ring();
    }, QUIET_MS).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#again = false;
  }
}
