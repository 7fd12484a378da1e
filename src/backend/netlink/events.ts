import type { NativeNetlinkSocket } from '../../native/addon.js';
import { NetlinkError } from './netlink-error.js';
import { readEvent, type PathManagerEvent } from './pm-event.js';

/** The longest event has some 150 bytes; of one that is longer the beginning would not do. */
const LONGEST_EVENT = 1_024;
/** Taken in one go; others wait for the next turn of the event loop. */
const EVENTS_PER_TURN = 1_000;

/** Who hears of events. */
export interface EventSink {
  /** The event's bytes are good during the call only. */
  onEvent(event: PathManagerEvent): void;
  /** Events were lost: the kernel had no room for them (ENOBUFS), or one could not be read. */
  onLost(): void;
}

/**
 * Hears that connections or subflows came, went or changed in a network namespace. Events can be lost, and a look cannot:
 * they say that a look is due, and nothing is concluded from them that the next look does not find by itself. While
 * somebody listens the kernel lets clients join to connections that are in userspace's hands.
 */
export class EventSocket {
  readonly #native: NativeNetlinkSocket;
  readonly #sink: EventSink;
  readonly #buffer = Buffer.alloc(LONGEST_EVENT);

  /** Takes the socket over. @throws {Error} EPERM without CAP_NET_ADMIN. */
  constructor(native: NativeNetlinkSocket, group: number, sink: EventSink) {
    this.#native = native;
    this.#sink = sink;
    native.join(group);
    native.onReadable(() => {
      this.#drain();
    });
  }

  close(): void {
    this.#native.close();
  }

  #drain(): void {
    let hasLost = false;
    for (let taken = 0; taken < EVENTS_PER_TURN; taken++) {
      try {
        const length = this.#native.receive(this.#buffer);
        if (length === undefined) break;
        if (length > LONGEST_EVENT) hasLost = true;
        else this.#sink.onEvent(readEvent(this.#buffer.subarray(0, length)));
      } catch (error) {
        const isLost = error instanceof NetlinkError || (error as NodeJS.ErrnoException).code === 'ENOBUFS';
        if (!isLost) throw error;
        hasLost = true;
      }
    }
    if (hasLost) this.#sink.onLost();
  }
}
