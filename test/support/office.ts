import { join } from 'node:path';
import type { ServerConfig } from '../../src/config/config.js';
import { Consoles } from '../../src/console/consoles.js';
import { Servers } from '../../src/openvpn/servers.js';
import { Steered } from '../unit/console/steered.js';
import type { LoopbackVpn } from './openvpn.js';
import { Talker } from './talker.js';
import { until } from './until.js';

/** Servers and their consoles in front of a real OpenVPN, joined as the daemon joins them. */
export class Office {
  readonly problems: string[] = [];
  readonly orders: string[] = [];
  readonly #talkers: Talker[] = [];

  private constructor(
    private readonly directory: string,
    readonly servers: Servers,
    readonly consoles: Consoles,
  ) {}

  /**
   * Resolves when each OpenVPN is connected.
   * @param sections by default one, `office`, with management at the socket `m`.
   */
  static async open(vpn: LoopbackVpn, ...sections: readonly Partial<ServerConfig>[]): Promise<Office> {
    const { directory } = vpn;
    const servers = new Servers(
      (sections.length === 0 ? [{}] : sections).map((section) => sectionOf(vpn, section)),
    );
    const daemon = new Steered(join(directory, 'overrides'), []);
    const config = { socket: join(directory, 'console'), mode: 0o600, overrides: '' };
    const office: Office = new Office(
      directory,
      servers,
      new Consoles(config, daemon, {
        onProblem: (text) => office.problems.push(text),
        onOrder: (...order) => office.orders.push(order.join(' ')),
      }),
    );
    servers.on('problem', (text) => office.problems.push(text));
    await office.consoles.open(servers.servers());
    servers.start();
    await office.isConnected();
    return office;
  }

  async isConnected(): Promise<void> {
    await until(
      'OpenVPN is there',
      () => this.servers.servers().every(({ management }) => management?.isReady),
      30_000,
    );
  }

  /** Connects a console client, and resolves after the console's greeting. */
  async join(name = 'office.sock'): Promise<Talker> {
    const talker = await Talker.connect(join(this.directory, name));
    this.#talkers.push(talker);
    await talker.hears(/^>INFO:/);
    return talker;
  }

  async close(): Promise<void> {
    for (const talker of this.#talkers) talker.close();
    this.servers.stop();
    await this.consoles.close();
  }
}

export function sectionOf(vpn: LoopbackVpn, section: Partial<ServerConfig>): ServerConfig {
  const { directory, passwordFile } = vpn;
  const { name = 'office', console, ...rest } = section;
  return {
    name,
    events: join(directory, 'events'),
    management: { socket: join(directory, 'm') },
    passwordFile,
    ...rest,
    console: { socket: join(directory, `${name}.sock`), ...console },
  };
}
