import type { Socket } from 'node:net';

/** Rejected clients that have not disconnected yet. Beyond this number, clients are disconnected without a reason. */
export const MOST_LEAVING = 64;

/** Tells clients why they are rejected, and disconnects them. */
export class Rejector {
  readonly #leaving = new Set<Socket>();

  /** @param leaveMs milliseconds that a client has to read the reason. */
  constructor(private readonly leaveMs: number) {}

  /** Discards what the client still sends: its own write would otherwise fail before it reads the reason. */
  reject(socket: Socket, reason: string): void {
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
