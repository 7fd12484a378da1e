import type { Socket } from 'node:net';

/** Largest number of rejected clients that may still read the reason. If there are more, they do not get a reason. */
export const MAX_LEAVING = 64;

/** Sends clients the reason why they are rejected, and disconnects them. */
export class Rejector {
  readonly #leaving = new Set<Socket>();

  /** @param leaveMs milliseconds that a client has to read the reason. */
  constructor(private readonly leaveMs: number) {}

  /** Discards what the client still sends: its own write would otherwise fail before it reads the reason. */
  reject(socket: Socket, reason: string): void {
    if (this.#leaving.size >= MAX_LEAVING) {
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
