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
import { type LoopbackVpn, openvpnBefore } from '../support/openvpn.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

// The waits here are not timed: each has its own bound.

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let events: string;
let sidecars: Sidecar[];

beforeEach(async () => {
  vpn = await vpnForTest();
  events = vpn.at('events');
  ensureEventsDirectory(events);
  sidecars = [];
});

afterEach(() => {
  for (const sidecar of sidecars) sidecar.stop();
});

/** The part of the daemon that observes OpenVPN, and the problems that it would log. */
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
  return { management: { socket: vpn.at(name) }, passwordFile: vpn.passwordFile };
}

describe('subflowd, started after a client connected,', () => {
  it('finds the session by the record of a hook alone', async () => {
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

  it('finds the session by management alone', async () => {
    const server = await vpn.server({ management: vpn.at('m') });
    await vpn.client('Zoë "Q" O\'Neil');
    const sidecar = new Sidecar(managed());
    await sidecar.shows('s0/Zoë "Q" O\'Neil');
    // From OpenVPN 2.7 on the protocol is reported, too.
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
    // OpenVPN reports a later client by itself.
    await vpn.client('bob');
    await sidecar.shows('s0/Zoë "Q" O\'Neil,s0/bob', 1_000);
    expect(sidecar.problems).toEqual([]);
  });

  it('finds one session by hook and management together, and sees each change at once', async () => {
    await vpn.server({ management: vpn.at('m'), events, user: 'nobody' });
    await vpn.client('alice');
    const sidecar = new Sidecar(managed());
    await until('management has reported', () => sidecar.servers.sessions()[0]?.cid === 0);
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
  it('gets its port from the record or the notice, because status does not report it', async () => {
    const server = await vpn.server({ ipv6: true, management: vpn.at('m'), events });
    await vpn.client('six', { ipv6: true });
    const before = new Sidecar(managed());
    await until('record and management have reported', () => before.servers.sessions()[0]?.cid === 0);
    expect(before.servers.sessions()).toHaveLength(1);
    expect(before.servers.sessions()[0]).toMatchObject({
      pid: server.pid,
      commonName: 'six',
      real: { address: '::1' },
    });
    before.stop();

    const elsewhere = vpn.at('elsewhere');
    const withoutRecords = new Sidecar({ ...managed(), events: elsewhere });
    await until(
      'management has reported',
      () => withoutRecords.servers.servers()[0]?.status().version !== undefined,
    );
    await vpn.client('seven', { ipv6: true });
    await until('the notice has arrived', () => withoutRecords.names().includes('s0/seven'), 2_000);
    const withoutPort = withoutRecords.servers
      .servers()[0]
      ?.sessionsWithoutPort()
      .map(({ commonName, address }) => [commonName, address]);
    // From OpenVPN 2.7 on status reports every port.
    const hasPort = !openvpnBefore(2, 7);
    expect(withoutPort).toEqual(hasPort ? [] : [['six', '::1']]);
    expect(withoutRecords.names()).toBe(hasPort ? 's0/seven,s0/six' : 's0/seven');
  });
});

describe('an OpenVPN that is killed and started again', () => {
  it('is found again, and its old sessions are removed', async () => {
    const first = await vpn.server({ management: vpn.at('m'), events });
    const old = await vpn.client('old');
    const sidecar = new Sidecar(managed());
    const hooked = new Sidecar({});
    await until('management has reported', () => sidecar.servers.sessions()[0]?.cid === 0);
    await first.kill('SIGKILL');
    await old.kill('SIGKILL');
    await sidecar.shows('', 5_000);
    await hooked.shows('', 5_000);
    expect(readdirSync(join(events, 'root'))).toEqual([]);
    const second = await vpn.server({ management: vpn.at('m'), events });
    await vpn.client('new');
    await sidecar.shows('s0/new');
    expect(sidecar.servers.sessions()[0]?.pid).toBe(second.pid);
    await until(
      'management is back',
      () => sidecar.servers.servers()[0]?.status().management === 'connected',
    );
  });
});

describe('a wrong record, a second management client, a wrong password', () => {
  it('a record that management does not confirm is removed and reported', async () => {
    const server = await vpn.server({ management: vpn.at('m'), events });
    await vpn.client('real');
    const path = join(events, 'root', `${server.pid}-192.0.2.1-77`);
    writeFileSync(
      path,
      `subflowd-event=1\0daemon_pid=${server.pid}\0trusted_ip=192.0.2.1\0trusted_port=77\0common_name=ghost\0end\0`,
    );
    const sidecar = new Sidecar(managed());
    await until('the record is removed', () => !existsSync(path));
    await sidecar.shows('s0/real');
    expect(sidecar.problems).toEqual([
      expect.stringMatching(/of "ghost" at 192\.0\.2\.1:77: OpenVPN s0 does not list this client/),
    ]);
  });

  it('another management client is reported, and the session is found when it leaves', async () => {
    await vpn.server({ management: vpn.at('m') });
    await vpn.client('alice');
    const other = connect(vpn.at('m'));
    await once(other, 'data');
    const sidecar = new Sidecar(managed());
    await until('a problem is reported', () => sidecar.problems.length > 0);
    expect(sidecar.problems[0]).toMatch(/probably another management client is connected/);
    other.destroy();
    await sidecar.shows('s0/alice');
  });

  it('a wrong password is reported', async () => {
    await vpn.server({ management: vpn.at('m') });
    const wrong = vpn.at('wrong');
    writeFileSync(wrong, 'wrong\n');
    const sidecar = new Sidecar({ ...managed(), passwordFile: wrong });
    await until('a problem is reported', () => sidecar.problems.length > 0);
    expect(sidecar.problems[0]).toBe(
      `the management interface at ${vpn.at('m')} is not available: it refuses the password in ${wrong}`,
    );
  });
});

describe('two servers that share one events directory', () => {
  it('are distinguished by their processes', async () => {
    await vpn.server({ management: vpn.at('m0'), events, user: 'nobody' });
    await vpn.server({ management: vpn.at('m1'), events, number: 1 });
    const stranger = await vpn.server({ events, number: 2 });
    await vpn.client('alice');
    await vpn.client('bob', { number: 1 });
    await vpn.client('eve', { number: 2 });
    const sidecar = new Sidecar(managed('m0'), managed('m1'));
    await sidecar.shows('s0/alice,s1/bob');
    await until('a problem is reported', () => sidecar.problems.length > 0);
    expect(sidecar.problems).toEqual([
      expect.stringMatching(new RegExp(`OpenVPN process ${stranger.pid} .* is not a server of subflowd.ini`)),
    ]);
    // With a section of its own, without management, the third process is the only one left for it.
    sidecar.stop();
    const three = new Sidecar(managed('m0'), managed('m1'), {});
    await three.shows('s0/alice,s1/bob,s2/eve');
    three.stop();
    const two = new Sidecar(managed('m0'), {}, {});
    await until('a problem is reported', () => two.problems.length >= 2);
    expect(two.problems[0]).toMatch(/cannot find out which of \[openvpn s1\], \[openvpn s2\]/);
    expect(two.names()).toBe('s0/alice');
    // Longer than twice `strayMs`: the problem is not reported again.
    await sleep(1_200);
    expect(two.problems).toHaveLength(2);
  });
});
