import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerConfig } from '../../src/config/config.js';
import { ensureEventsDirectory } from '../../src/openvpn/records/events-directory.js';
import { Servers } from '../../src/openvpn/servers.js';
import { needs } from '../lab/needs.js';
import { LoopbackVpn, openvpnBefore } from '../support/openvpn.js';
import { until } from '../support/until.js';

// not timed: each wait has its own bound

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let events: string;
let sidecars: Sidecar[];

beforeEach(async () => {
  vpn = await LoopbackVpn.create();
  events = join(vpn.directory, 'events');
  ensureEventsDirectory(events);
  sidecars = [];
});

afterEach(async () => {
  for (const sidecar of sidecars) sidecar.stop();
  await vpn.destroy();
});

function socketOf(name: string): string {
  return join(vpn.directory, name);
}

/** What the daemon has of `src/openvpn`, and what it would log. */
class Sidecar {
  readonly servers: Servers;
  readonly problems: string[] = [];

  constructor(...sections: readonly Partial<ServerConfig>[]) {
    const configs = sections.map((section, index) => ({ name: `s${index}`, events, ...section }));
    this.servers = new Servers(configs, { unassignedMs: 500 });
    this.servers.on('problem', (text) => this.problems.push(text));
    sidecars.push(this);
    this.servers.start();
  }

  stop(): void {
    this.servers.stop();
  }

  names(): string {
    return this.servers
      .sessions()
      .map(({ server, commonName }) => `${server}/${commonName}`)
      .sort()
      .join();
  }

  async shows(names: string, withinMs?: number): Promise<void> {
    await until(`sessions are ${JSON.stringify(names)}`, () => this.names() === names, withinMs).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; they are ${this.names()}; problems: ${this.problems.join('\n')}`);
      },
    );
  }
}

function managed(name = 'm'): Partial<ServerConfig> {
  return { management: { socket: socketOf(name) }, passwordFile: vpn.passwordFile };
}

describe('a sidecar that is started after a client connected', () => {
  it('learns the session from hooks alone', async () => {
    const server = await vpn.server({ events, user: 'nobody' });
    const client = await vpn.client('alice.example');
    const sidecar = new Sidecar({});
    await sidecar.shows('s0/alice.example');
    expect(sidecar.servers.sessions()).toEqual([
      {
        server: 's0',
        pid: server.pid,
        commonName: 'alice.example',
        real: { address: '127.0.0.1', port: expect.any(Number) as number },
        virtual: ['10.8.0.2'],
        since: expect.any(Number) as number,
        protocol: 'tcp',
      },
    ]);
    expect(sidecar.servers.servers()[0]?.status()).toEqual({
      name: 's0',
      management: 'absent',
      recorded: 1,
      pids: [server.pid],
    });
    await client.kill();
    await sidecar.shows('', 5_000);
    expect(sidecar.problems).toEqual([]);
  });

  it('learns the session from management alone', async () => {
    const server = await vpn.server({ management: socketOf('m') });
    await vpn.client('Zoë "Q" O\'Neil');
    const sidecar = new Sidecar(managed());
    await sidecar.shows('s0/Zoë "Q" O\'Neil');
    // OpenVPN from 2.7 on says the protocol as well
    expect(sidecar.servers.sessions()).toMatchObject([
      {
        server: 's0',
        pid: server.pid,
        commonName: 'Zoë "Q" O\'Neil',
        real: { address: '127.0.0.1', port: expect.any(Number) as number },
        virtual: ['10.8.0.2'],
        cid: 0,
        since: expect.any(Number) as number,
      },
    ]);
    expect(sidecar.servers.servers()[0]?.status()).toMatchObject({
      management: 'connected',
      recorded: 0,
      pids: [server.pid],
      version: expect.stringMatching(/^OpenVPN 2\./) as string,
    });
    // one that comes later is told of, without anybody asking
    await vpn.client('bob');
    await sidecar.shows('s0/Zoë "Q" O\'Neil,s0/bob', 1_000);
    expect(sidecar.problems).toEqual([]);
  });

  it('learns the session once from both, and each change at once', async () => {
    await vpn.server({ management: socketOf('m'), events, user: 'nobody' });
    await vpn.client('alice');
    const sidecar = new Sidecar(managed());
    await until('management has told', () => sidecar.servers.sessions()[0]?.cid === 0);
    expect(sidecar.servers.servers()[0]?.status().recorded).toBe(1);
    const bob = await vpn.client('bob');
    await sidecar.shows('s0/alice,s0/bob', 1_000);
    const restarted = new Sidecar({});
    await restarted.shows('s0/alice,s0/bob', 1_000);
    await bob.kill();
    await sidecar.shows('s0/alice', 2_000);
    await restarted.shows('s0/alice', 1_000);
    expect([...sidecar.problems, ...restarted.problems]).toEqual([]);
  });
});

describe('a client over IPv6', () => {
  it('is placed by the hook or by the notice, where status does not tell its port', async () => {
    const server = await vpn.server({ ipv6: true, management: socketOf('m'), events });
    await vpn.client('six', { ipv6: true });
    const before = new Sidecar(managed());
    await until('both have told', () => before.servers.sessions()[0]?.cid === 0);
    expect(before.servers.sessions()).toHaveLength(1);
    expect(before.servers.sessions()[0]).toMatchObject({
      pid: server.pid,
      commonName: 'six',
      real: { address: '::1' },
    });
    before.stop();

    const elsewhere = join(vpn.directory, 'elsewhere');
    const deaf = new Sidecar({ ...managed(), events: elsewhere });
    await until('management has told', () => deaf.servers.servers()[0]?.status().version !== undefined);
    await vpn.client('seven', { ipv6: true });
    await until('the notice has told', () => deaf.names().includes('s0/seven'), 2_000);
    const unplaced = deaf.servers
      .servers()[0]
      ?.sessionsWithoutPort()
      .map(({ commonName, address }) => [commonName, address]);
    // OpenVPN from 2.7 on tells the port of everybody
    const isTold = !openvpnBefore(2, 7);
    expect(unplaced).toEqual(isTold ? [] : [['six', '::1']]);
    expect(deaf.names()).toBe(isTold ? 's0/seven,s0/six' : 's0/seven');
  });
});

describe('an OpenVPN that is killed and started again', () => {
  it('is found again, and its old sessions are dropped', async () => {
    const first = await vpn.server({ management: socketOf('m'), events });
    const old = await vpn.client('old');
    const sidecar = new Sidecar(managed());
    const hooked = new Sidecar({});
    await until('management has told', () => sidecar.servers.sessions()[0]?.cid === 0);
    await first.kill('SIGKILL');
    await old.kill('SIGKILL');
    await sidecar.shows('', 5_000);
    await hooked.shows('', 5_000);
    expect(readdirSync(join(events, 'root'))).toEqual([]);
    const second = await vpn.server({ management: socketOf('m'), events });
    await vpn.client('new');
    await sidecar.shows('s0/new');
    expect(sidecar.servers.sessions()[0]?.pid).toBe(second.pid);
    await until(
      'management is back',
      () => sidecar.servers.servers()[0]?.status().management === 'connected',
    );
  });
});

describe('bad company', () => {
  it('a record of a port nobody has is believed until management denies it', async () => {
    const server = await vpn.server({ management: socketOf('m'), events });
    await vpn.client('real');
    const path = join(events, 'root', `${server.pid}-192.0.2.1-77`);
    writeFileSync(
      path,
      `subflowd-event=1\0daemon_pid=${server.pid}\0trusted_ip=192.0.2.1\0trusted_port=77\0common_name=ghost\0end\0`,
    );
    const sidecar = new Sidecar(managed());
    await until('it is removed', () => !existsSync(path));
    await sidecar.shows('s0/real');
    expect(sidecar.problems).toEqual([
      expect.stringMatching(/of "ghost" at 192\.0\.2\.1:77: OpenVPN s0 does not list this client/),
    ]);
  });

  it('another management client is noticed, and waited for', async () => {
    await vpn.server({ management: socketOf('m') });
    await vpn.client('alice');
    const other = connect(socketOf('m'));
    await once(other, 'data');
    const sidecar = new Sidecar(managed());
    await until('a problem', () => sidecar.problems.length > 0);
    expect(sidecar.problems[0]).toMatch(/another management client is probably connected/);
    other.destroy();
    await sidecar.shows('s0/alice');
  });

  it('a wrong password is named', async () => {
    await vpn.server({ management: socketOf('m') });
    const wrong = join(vpn.directory, 'wrong');
    writeFileSync(wrong, 'wrong\n');
    const sidecar = new Sidecar({ ...managed(), passwordFile: wrong });
    await until('a problem', () => sidecar.problems.length > 0);
    expect(sidecar.problems[0]).toBe(
      `the management interface at ${socketOf('m')} is not available: it refuses the password in ${wrong}`,
    );
  });
});

describe('two servers that share one events directory', () => {
  it('are told apart by their processes', async () => {
    await vpn.server({ management: socketOf('m0'), events, user: 'nobody' });
    await vpn.server({ management: socketOf('m1'), events, number: 1 });
    const stranger = await vpn.server({ events, number: 2 });
    await vpn.client('alice');
    await vpn.client('bob', { number: 1 });
    await vpn.client('eve', { number: 2 });
    const sidecar = new Sidecar(managed('m0'), managed('m1'));
    await sidecar.shows('s0/alice,s1/bob');
    await until('a problem', () => sidecar.problems.length > 0);
    expect(sidecar.problems).toEqual([
      expect.stringMatching(new RegExp(`OpenVPN process ${stranger.pid} .* is not a server of subflowd.ini`)),
    ]);
    // with a section of its own and no management it is the only one left
    sidecar.stop();
    const three = new Sidecar(managed('m0'), managed('m1'), {});
    await three.shows('s0/alice,s1/bob,s2/eve');
    three.stop();
    const two = new Sidecar(managed('m0'), {}, {});
    await until('a problem', () => two.problems.length >= 2);
    expect(two.problems[0]).toMatch(/cannot find out which of \[openvpn s1\], \[openvpn s2\]/);
    expect(two.names()).toBe('s0/alice');
    await sleep(1_200);
    expect(two.problems).toHaveLength(2);
  });
});
