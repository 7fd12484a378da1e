import type { Socket } from 'node:net';

/** Turned away at once, that have not left yet; more are cut off without a word. */
export const MOST_LEAVING = 64;

/** Tells clients that there is no place for them, and sees to it that they leave. */
export class Farewell {
  readonly #leaving = new Set<Socket>();

  /** @param leaveMs that a client has to read why. */
  constructor(private readonly leaveMs: number) {}

  /** What it still sends is read and dropped, so that it reads the reason and not an error of its own writing. */
  turnAway(socket: Socket, reason: string): void {
    if (this.#leaving.size >= MOST_LEAVING) {
      socket.destroy();
      return;
    }
    this.#leaving.add(socket);
    const timer = setTimeout(() => socket.destroy(), this.leaveMs);
    socket
      .on('close', () => {
        clearTimeout(timer);
        this.#leaving.delete(socket);
      })
      .resume()
      .end(`ERROR: ${reason}\r\n`);
  }
}
