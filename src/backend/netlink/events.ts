import type { NativeNetlinkSocket } from '../../kernel/addon.js';

/** Least time between two calls of a listener, milliseconds: a storm of events is one piece of news. */
const QUIET_MS = 100;
/** An event's beginning is enough: what is so now is looked up, not added up. */
const EVENT = Buffer.alloc(64);
/** Taken in one go; others wait for the next turn of the event loop. */
const MOST_EVENTS = 1_000;

/**
 * Hears that connections or subflows came, went or changed in a network namespace. What changed is not asked of the
 * events: they can be lost (ENOBUFS), and a look afterwards cannot. While somebody listens the kernel lets clients join
 * to connections that are in userspace's hands.
 */
export class EventSocket {
  readonly #native: NativeNetlinkSocket;
  readonly #listener: () => void;
  #timer: NodeJS.Timeout | undefined;
  #again = false;

  /** Takes the socket over. @throws {Error} EPERM without CAP_NET_ADMIN. */
  constructor(native: NativeNetlinkSocket, group: number, listener: () => void) {
    this.#native = native;
    this.#listener = listener;
    native.join(group);
    native.onReadable(() => {
      this.#drain();
      this.#tell();
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#native.close();
  }

  #drain(): void {
    for (let taken = 0; taken < MOST_EVENTS; taken++) {
      try {
        if (this.#native.receive(EVENT) === undefined) return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOBUFS') throw error;
      }
    }
  }

  #tell(): void {
    this.#again = this.#timer !== undefined;
    if (this.#again) return;
    this.#listener();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#again) this.#tell();
    }, QUIET_MS).unref();
  }
}
