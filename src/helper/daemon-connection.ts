import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Allowance } from './allowance.js';
import { BadMessageError, encodeFrame, FrameReader } from './frames.js';
import { handleRequest, type Context } from './handle-request.js';
import { BOUNDS, type Request } from './messages.js';
import { readRequest } from './read-request.js';

/** Messages, and changes of priorities: how many at once, and in each second. More of them wait. */
export const ALLOWED = {
  messages: { burst: 2_000, perSecond: 500 },
  changes: { burst: 65_536, perSecond: 20_000 },
} as const;
/** Bytes of unread events: the daemon is stopped or slow, and will look anyway. */
export const MAX_UNREAD_BYTES = 65_536;

/**
 * The daemon's connection. It handles one message at a time, and reads no further ones until the daemon has taken the answer.
 * So neither side can fill the memory of the other.
 */
export class DaemonConnection {
  readonly #frames = new FrameReader(BOUNDS.requestBytes);
  readonly #messages = new Allowance(ALLOWED.messages.burst, ALLOWED.messages.perSecond);
  readonly #changes = new Allowance(ALLOWED.changes.burst, ALLOWED.changes.perSecond);

  /**
   * Serves the connection until it ends.
   * @param onEnd called once, with the reason if the daemon broke a rule.
   */
  constructor(
    private readonly socket: Socket,
    private readonly context: Context,
    onEnd: (reason: string | undefined) => void,
  ) {
    socket.on('error', () => undefined);
    this.#serve().then(
      () => {
        onEnd(undefined);
      },
      (error: unknown) => {
        onEnd((error as Error).message);
      },
    );
  }

  /** Sends an event, unless the daemon does not read. */
  notify(event: object): void {
    if (!this.socket.destroyed && this.socket.writableLength < MAX_UNREAD_BYTES)
      this.socket.write(encodeFrame(event));
  }

  close(): void {
    this.socket.destroy();
  }

  async #serve(): Promise<void> {
    let isOpen = false;
    try {
      for await (const chunk of this.socket) {
        for (const message of this.#frames.push(chunk as Buffer)) {
          const request = readRequest(message);
          if (!isOpen && request.do !== 'open') throw new BadMessageError('the first message is not open');
          isOpen = true;
          await this.#handle(request);
          if (this.socket.destroyed) return;
        }
      }
    } catch (error) {
      if (error instanceof BadMessageError) throw error;
      // the connection broke
    } finally {
      this.socket.destroy();
    }
  }

  async #handle(request: Request): Promise<void> {
    await this.#messages.take(1);
    if (request.do === 'set') await this.#changes.take(request.changes.length);
    for await (const part of handleRequest(request, this.context)) {
      if (this.socket.destroyed) return;
      if (!this.socket.write(encodeFrame(part))) await drained(this.socket);
    }
  }
}

/** Resolves when the socket takes more, or has closed. */
async function drained(socket: Socket): Promise<void> {
  const ended = new AbortController();
  try {
    await Promise.race([
      once(socket, 'drain', { signal: ended.signal }),
      once(socket, 'close', { signal: ended.signal }),
    ]);
  } catch {
    // the connection broke: the caller sees that it is closed
  } finally {
    ended.abort();
  }
}
