/** Shortest time between two calls of a listener, milliseconds. A burst of events causes two calls. */
const MIN_PAUSE_MS = 100;

/** Calls a listener at the first of several changes, and once more after a pause if there were others meanwhile. */
export class ChangeNotifier {
  readonly #listener: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isPending = false;

  constructor(listener: () => void) {
    this.#listener = listener;
  }

  notify(): void {
    this.#isPending = this.#timer !== undefined;
    if (this.#isPending) return;
    this.#listener();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#isPending) this.notify();
    }, MIN_PAUSE_MS).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#isPending = false;
  }
}
