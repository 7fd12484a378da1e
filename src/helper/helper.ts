import { createServer, type Server, type Socket } from 'node:net';
import { unixPeer } from '../native/unix-peer.js';
import { DaemonConnection } from './daemon-connection.js';
import { OpenedBackend, type OpenFunction } from './opened-backend.js';
import type { ServerGuard } from './server-guard.js';

/** Options of {@link Helper}. */
export interface HelperOptions {
  readonly guard: ServerGuard;
  /** Numbers of the users that may connect. */
  readonly users: ReadonlySet<number>;
  /** Receives what an admin should know. */
  readonly onNotice: (text: string) => void;
  /** Default: as the config of the daemon says. Tests have another one. */
  readonly open?: OpenFunction;
}

/**
 * The process that may do something. It serves one daemon at a time: a new connection ends the one before. When the daemon has
 * ended, the helper goes on to listen to the kernel, and changes nothing.
 */
export class Helper {
  readonly #options: HelperOptions;
  readonly #opened: OpenedBackend;
  readonly #server: Server;
  #daemon: DaemonConnection | undefined;

  constructor(options: HelperOptions) {
    this.#options = options;
    this.#opened = new OpenedBackend(
      {
        onChange: () => this.#daemon?.notify({ event: 'change' }),
        onExcess: (excess) => this.#daemon?.notify({ event: 'excess', ...excess }),
      },
      options.open,
    );
    this.#server = createServer((socket) => {
      this.#accept(socket);
    });
  }

  /** @param at a path, or the descriptor of a socket that listens already. */
  async listen(at: { readonly path: string } | { readonly fd: number }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(at, resolve);
    });
    // accept() fails while no descriptor is free; the daemon connects again
    this.#server.removeAllListeners('error').on('error', () => undefined);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#daemon?.close();
    await this.#opened.close();
  }

  #accept(socket: Socket): void {
    const peer = unixPeer(socket);
    if (peer === undefined || !this.#options.users.has(peer.uid)) {
      this.#options.onNotice(
        `user ${peer?.uid ?? 'unknown'} (process ${peer?.pid ?? 0}) may not use the helper`,
      );
      socket.destroy();
      return;
    }
    this.#daemon?.close();
    const { guard } = this.#options;
    const daemon = new DaemonConnection(
      socket,
      { opened: this.#opened, guard, sent: new Map(), watched: { wanted: new Set(), tracked: new Set() } },
      (reason) => {
        if (reason !== undefined) this.#options.onNotice(`the daemon's connection was ended: ${reason}`);
        if (this.#daemon !== daemon) return;
        this.#daemon = undefined;
        this.#opened.rest();
      },
    );
    this.#daemon = daemon;
  }
}
