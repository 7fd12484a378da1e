import type { NativeNetlinkSocket } from '../../native/addon.js';
import { NetlinkError } from './netlink-error.js';
import { readEvent, type PathManagerEvent } from './pm-event.js';

/** Bytes. The longest event has about 150; a longer one is not read. */
const MAX_EVENT_BYTES = 1_024;
/** Events read in one turn of the event loop. */
const EVENTS_PER_TURN = 1_000;

/** Receives the events of one network namespace. */
export interface EventSink {
  /** @param event valid only during the call. */
  onEvent(event: PathManagerEvent): void;
  /** Events were lost: the socket's buffer was full (ENOBUFS), or an event could not be parsed. */
  onLost(): void;
}

/**
 * Receives the events of the kernel's path manager in one network namespace: a connection or subflow was added, removed or
 * changed. Events can be lost. So an event only causes an observation, which does not depend on it. While a socket listens to
 * these events, the kernel accepts MP_JOIN on connections of the userspace path manager (net/mptcp/pm.c,
 * mptcp_pm_allow_new_subflow).
 */
export class EventSocket {
  readonly #native: NativeNetlinkSocket;
  readonly #sink: EventSink;
  readonly #buffer = Buffer.alloc(MAX_EVENT_BYTES);

  /** Takes ownership of the socket. @throws {Error} EPERM without CAP_NET_ADMIN. */
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
        if (length > MAX_EVENT_BYTES) hasLost = true;
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
