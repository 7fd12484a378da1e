import type { ConsoleConfig } from '../config/config.js';
import type { Management } from '../openvpn/management.js';
import type { Server } from '../openvpn/server.js';
import type { DaemonApi } from '../api/daemon-api.js';
import { CLIENT_LIMITS } from './listen/client-connection.js';
import { Console, type ConsolePlace } from './listen/console.js';
import type { Partners } from './commands/dialogue.js';
import { Sharing } from './sharing/sharing.js';
import { UnreadAnswers } from './listen/unread.js';

export interface ConsolesListener {
  readonly onProblem: (text: string) => void;
  /** A client changes an OpenVPN for all: the server, the client, what it said. */
  readonly onOrder: (server: string, client: number, command: string) => void;
  /** Somebody tried wrong passwords at the console of a server, on TCP. */
  readonly onWrongPassword?: (server: string, text: string) => void;
}

interface Place {
  readonly sharing: Sharing;
  console: Console | undefined;
}

/** The console of subflowd, and that of each server. Where there is one server only, the first serves it as well. */
export class Consoles {
  readonly #places = new Map<Server, Place>();
  readonly #unread = new UnreadAnswers();
  #own: Console | undefined;
  /** Openings and closings, one after the other: two can be at one place. */
  #work: Promise<void> = Promise.resolve();

  constructor(
    private readonly config: ConsoleConfig,
    private readonly daemon: DaemonApi,
    private readonly listener: ConsolesListener,
  ) {}

  /**
   * Opens them all.
   * @throws {Error} naming the one that cannot be opened; then none is left open.
   */
  async open(servers: readonly Server[]): Promise<void> {
    try {
      this.#own = await this.#open(this.config, {
        daemon: this.daemon,
        sharing: () => {
          const [only, ...others] = this.#places.values();
          return others.length === 0 ? only?.sharing : undefined;
        },
        elsewhere: () => [...this.#places.keys()].map(({ config }) => config.console?.socket ?? ''),
      });
      for (const server of servers) await this.#add(server);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Follows a changed config: a server that stays keeps its console and its clients. What cannot be opened, now or before,
   * is tried again, and told of each time.
   */
  follow(servers: readonly Server[]): void {
    this.#work = this.#work.then(async () => {
      for (const [server, { console }] of this.#places) {
        if (servers.includes(server)) continue;
        this.#places.delete(server);
        await console?.close();
      }
      for (const server of servers) {
        if (this.#places.get(server)?.console) continue;
        await this.#add(server).catch((error: unknown) => {
          this.listener.onProblem((error as Error).message);
        });
      }
    });
  }

  async close(): Promise<void> {
    await this.#work;
    const consoles = [this.#own, ...[...this.#places.values()].map(({ console }) => console)];
    await Promise.all(consoles.flatMap((console) => (console ? [console.close()] : [])));
    this.#places.clear();
  }

  async #add(server: Server): Promise<void> {
    const { management, name } = server;
    const { console: place } = server.config;
    if (management === undefined || place === undefined) return;
    const entry = this.#places.get(server) ?? this.#share(name, management);
    const { sharing } = entry;
    this.#places.set(server, entry);
    const { mode, group } = this.config;
    entry.console = await this.#open(
      { ...place, mode, ...(group !== undefined && { group }) },
      {
        daemon: this.daemon,
        sharing: () => sharing,
        server: name,
        ...(place.hangsUp && { hangsUp: true }),
        onWrongPassword: (text) => this.listener.onWrongPassword?.(name, text),
      },
    );
  }

  #share(name: string, management: Management): Place {
    const sharing = new Sharing(name, management).on('order', (client, command) => {
      this.listener.onOrder(name, client, command);
    });
    return { sharing, console: undefined };
  }

  #open(place: ConsolePlace, partners: Partners): Promise<Console> {
    return Console.open(place, partners, CLIENT_LIMITS, this.#unread);
  }
}
