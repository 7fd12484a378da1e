import { onTestFinished } from 'vitest';
import type { ServerConfig } from '../../src/config/config.js';
import { Consoles } from '../../src/console/consoles.js';
import type { Management } from '../../src/openvpn/management/management.js';
import type { ManagementOptions } from '../../src/openvpn/management/management-types.js';
import { Servers } from '../../src/openvpn/servers.js';
import { Steered } from '../unit/console/steered.js';
import type { LoopbackVpn } from './openvpn.js';
import { Talker } from './talker.js';
import { until } from './until.js';

/** Servers and their consoles for a real OpenVPN, connected to each other as the daemon connects them. */
export class Office {
  readonly problems: string[] = [];
  /** `SERVER CLIENT COMMAND` of each command that changed OpenVPN for everybody. */
  readonly orders: string[] = [];
  readonly #talkers: Talker[] = [];

  private constructor(
    private readonly vpn: LoopbackVpn,
    readonly servers: Servers,
    readonly consoles: Consoles,
  ) {}

  /**
   * Opens the consoles for the running test, and closes them after the test. Resolves when each OpenVPN is connected.
   * @param sections by default one, `office`, with management at the socket `m`.
   */
  static async open(
    vpn: LoopbackVpn,
    sections: readonly Partial<ServerConfig>[] = [{}],
    management: ManagementOptions = {},
  ): Promise<Office> {
    const servers = new Servers(
      sections.map((section) => sectionOf(vpn, section)),
      { server: { management } },
    );
    const daemon = new Steered(vpn.at('overrides'), []);
    const config = { socket: vpn.at('console'), mode: 0o600, overrides: '', quotas: '/nowhere' };
    const office: Office = new Office(
      vpn,
      servers,
      new Consoles(config, daemon, {
        onProblem: (text) => office.problems.push(text),
        onOrder: (...order) => office.orders.push(order.join(' ')),
      }),
    );
    onTestFinished(() => office.#close());
    servers.on('problem', (text) => office.problems.push(text));
    await office.consoles.open(servers.servers());
    servers.start();
    await office.isConnected();
    return office;
  }

  /** The management interface of the first server. */
  get management(): Management {
    const management = this.servers.servers()[0]?.management;
    if (management === undefined) throw new Error('the first server has no management interface');
    return management;
  }

  async isConnected(): Promise<void> {
    await until(
      'every OpenVPN is connected',
      () => this.servers.servers().every(({ management }) => management?.isReady),
      30_000,
    );
  }

  /** Connects a console client. Resolves after the console's greeting or refusal. */
  async join(name = 'office.sock'): Promise<Talker> {
    const talker = await Talker.connect(this.vpn.at(name));
    this.#talkers.push(talker);
    await talker.hears(/^(?:>INFO:|ERROR:)/);
    return talker;
  }

  async #close(): Promise<void> {
    for (const talker of this.#talkers) talker.close();
    this.servers.stop();
    await this.consoles.close();
  }
}

/** Completes an `[openvpn]` section: by default `office`, with its console at `NAME.sock`. */
export function sectionOf(vpn: LoopbackVpn, section: Partial<ServerConfig>): ServerConfig {
  const { name = 'office', console, ...rest } = section;
  return {
    name,
    events: vpn.at('events'),
    management: { socket: vpn.at('m') },
    passwordFile: vpn.passwordFile,
    ...rest,
    console: { socket: vpn.at(`${name}.sock`), ...console },
  };
}
