import type { DaemonApi } from '../api/daemon-api.js';
import type { ConsoleConfig, ServerConsoleConfig } from '../config/config.js';
import type { Management } from '../openvpn/management/management.js';
import type { Server } from '../openvpn/server.js';
import type { DialogueOptions } from './commands/dialogue.js';
import { CLIENT_LIMITS } from './listen/client-connection.js';
import { Console, type ListenAddress } from './listen/console.js';
import { UnreadAnswers } from './listen/unread.js';
import { SharedManagement } from './sharing/shared-management.js';

/** Receives what happens at the consoles. */
export interface ConsolesListener {
  /** A console cannot be opened after a change of the config. */
  readonly onProblem: (text: string) => void;
  /**
   * A console client gave an order: a command that changes OpenVPN for everybody.
   * @param client the number of the console client.
   * @param command the command, without parameters that can be secret.
   */
  readonly onOrder: (server: string, client: number, command: string) => void;
  /** Called with a text that says who gave how many wrong passwords to the console of a server, on TCP. */
  readonly onWrongPassword?: (server: string, text: string) => void;
}

/** The console of one server, and the management interface that its clients share. */
interface ServerConsole {
  readonly shared: SharedManagement;
  /** Undefined if it could not be opened. */
  console: Console | undefined;
  /** The one of `console-auth`; undefined if there is none, or if it could not be opened. */
  authConsole: Console | undefined;
}

/** subflowd's own console, and one for each server. If there is only one server, subflowd's own serves that, too. */
export class Consoles {
  readonly #serverConsoles = new Map<Server, ServerConsole>();
  readonly #unread = new UnreadAnswers();
  #mainConsole: Console | undefined;
  /** The consoles of a changed config are opened and closed one after the other: an old and a new one can have one address. */
  #pendingWork: Promise<void> = Promise.resolve();

  constructor(
    private readonly config: ConsoleConfig,
    private readonly daemon: DaemonApi,
    private readonly listener: ConsolesListener,
  ) {}

  /**
   * Opens all consoles.
   * @throws {Error} naming the console that cannot be opened; then none is left open.
   */
  async open(servers: readonly Server[]): Promise<void> {
    try {
      this.#mainConsole = await this.#open(this.config, {
        daemon: this.daemon,
        // the only OpenVPN, if there is only one
        sharedManagement: () => {
          const [only, ...others] = this.#serverConsoles.values();
          return others.length === 0 ? only?.shared : undefined;
        },
        openvpnConsoles: () =>
          [...this.#serverConsoles.keys()].map(({ config }) => config.console?.socket ?? ''),
      });
      for (const server of servers) await this.#add(server);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Applies a changed config. A server that remains keeps its console and its clients. A console that could not be opened is
   * tried again; each failure is reported as a problem.
   */
  follow(servers: readonly Server[]): void {
    this.#pendingWork = this.#pendingWork.then(async () => {
      for (const [server, { console, authConsole }] of this.#serverConsoles) {
        if (servers.includes(server)) continue;
        this.#serverConsoles.delete(server);
        await Promise.all([console?.close(), authConsole?.close()]);
      }
      for (const server of servers) {
        await this.#add(server).catch((error: unknown) => {
          this.listener.onProblem((error as Error).message);
        });
      }
    });
  }

  /** Closes all consoles, and disconnects their clients. */
  async close(): Promise<void> {
    await this.#pendingWork;
    const consoles = [
      this.#mainConsole,
      ...[...this.#serverConsoles.values()].flatMap(({ console, authConsole }) => [console, authConsole]),
    ];
    await Promise.all(consoles.flatMap((console) => (console ? [console.close()] : [])));
    this.#serverConsoles.clear();
  }

  /** Opens the consoles of a server that are not open yet, if the config gives it any. */
  async #add(server: Server): Promise<void> {
    const { management, name } = server;
    const { console: address } = server.config;
    if (management === undefined || address === undefined) return;
    const entry = this.#serverConsoles.get(server) ?? this.#createServerConsole(name, management);
    const { shared } = entry;
    this.#serverConsoles.set(server, entry);
    const { mode, group } = this.config;
    const access = { mode, ...(group !== undefined && { group }) };
    const dialogue: DialogueOptions = {
      daemon: this.daemon,
      sharedManagement: () => shared,
      server: name,
      ...(address.hangsUp && { hangsUp: true }),
      onWrongPassword: (text) => this.listener.onWrongPassword?.(name, text),
    };
    entry.console ??= await this.#open({ ...address, ...access }, dialogue);
    if (address.auth)
      entry.authConsole ??= await this.#open(
        { ...authAddress(address.auth, address.passwordFile), ...access },
        { ...dialogue, claimsAuth: true },
      );
  }

  #createServerConsole(name: string, management: Management): ServerConsole {
    const shared = new SharedManagement(name, management).on('order', (client, command) => {
      this.listener.onOrder(name, client, command);
    });
    return { shared, console: undefined, authConsole: undefined };
  }

  #open(address: ListenAddress, dialogue: DialogueOptions): Promise<Console> {
    return Console.open(address, dialogue, CLIENT_LIMITS, this.#unread);
  }
}

/** Where the console of `console-auth` listens. It asks for the password on a unix socket, too, as OpenVPN does. */
function authAddress(
  auth: NonNullable<ServerConsoleConfig['auth']>,
  passwordFile: string | undefined,
): Omit<ListenAddress, 'mode' | 'group'> {
  return {
    ...('socket' in auth ? { socket: auth.socket, asksOnSocket: true } : { listen: auth }),
    ...(passwordFile !== undefined && { passwordFile }),
  };
}
