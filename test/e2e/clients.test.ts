import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetlinkBackend } from '../../src/backend/netlink.js';
import type { ServerConfig } from '../../src/config/config.js';
import { Controller } from '../../src/control/controller.js';
import { ensureEventsDirectory } from '../../src/openvpn/records/events-directory.js';
import { Servers } from '../../src/openvpn/servers.js';
import { configOf } from '../support/config.js';
import { LoopbackVpn, openvpnBefore } from '../support/openvpn.js';
import { until } from '../support/until.js';

// The waits here are not timed: each has its own bound.

const RELAY = resolve(import.meta.dirname, '../../dist/test/support/floating-relay.js');
const MPTCP = { wrapper: ['mptcpize', 'run'] } as const;
/** Longer than every wait here, so no result comes from the regular `status`. */
const POLL_MS = 600_000;

let vpn: LoopbackVpn;
let events: string;
let servers: Servers;
let backend: NetlinkBackend;
let controller: Controller;
let problems: string[];
let ends: (() => unknown)[];

beforeEach(async () => {
  vpn = await LoopbackVpn.create();
  events = join(vpn.directory, 'events');
  ensureEventsDirectory(events);
  problems = [];
  ends = [];
});

afterEach(async () => {
  for (const end of ends) await end();
  await vpn.destroy();
});

/** Joins servers, backend and controller as the daemon does. */
async function serve(section: Partial<ServerConfig> = {}): Promise<void> {
  servers = new Servers([{ name: 's', events, ...section }], { server: { pollMs: POLL_MS } });
  backend = await NetlinkBackend.open();
  controller = new Controller({
    backend,
    sessions: () => servers.sessions(),
    sessionsWithoutPort: () => servers.sessionsWithoutPort(),
    config: () => configOf([]),
    overrides: () => new Map(),
  });
  backend.onChange(() => void controller.refresh());
  controller.on('missing', (sessions) => {
    servers.handleMissing(sessions);
  });
  servers
    .on('status', () => {
      backend.trackServers(servers.servers().flatMap((server) => server.status().pids));
    })
    .on('change', () => void controller.refresh())
    .on('observe', () => void controller.refresh())
    .on('problem', (text) => problems.push(text));
  servers.start();
  controller.start();
  ends = [
    () => {
      servers.stop();
    },
    () => controller.stop(),
    () => backend.close(),
  ];
}

function managed(): Partial<ServerConfig> {
  return { management: { socket: join(vpn.directory, 'm') }, passwordFile: vpn.passwordFile };
}

function states(): string {
  return controller
    .current()
    .sessions.map(({ session, state }) => `${session.commonName} ${state}`)
    .sort()
    .join('; ');
}

async function shows(expected: string, withinMs?: number): Promise<void> {
  await until(expected, () => states() === expected, withinMs).catch((error: unknown) => {
    throw new Error(`${String(error)}; it shows ${JSON.stringify(states())}; ${problems.join('\n')}`);
  });
}

// Before 2.7 a process has one protocol. The project that uses the newer OpenVPN runs these tests.
const describeIfNewer = openvpnBefore(2, 7) ? undefined : describe;

describeIfNewer?.('an OpenVPN that serves TCP and UDP in one process', () => {
  const BOTH = { ...MPTCP, extra: ['local 127.0.0.1 1194 udp4'] };

  it('distinguishes a client over TCP from one over UDP with the same address and port', async () => {
    await vpn.server({ ...BOTH, management: join(vpn.directory, 'm'), events });
    await vpn.client('bob', { udp: true, localPort: 5000 });
    await serve(managed());
    await shows('bob udp');
    const alice = await vpn.client('alice', { ...MPTCP, localPort: 5000 });
    await shows('alice unruled; bob udp');
    expect(readdirSync(join(events, 'root'))).toHaveLength(2);
    await alice.kill();
    await shows('bob udp');
    expect(readdirSync(join(events, 'root'))).toHaveLength(1);
    await sleep(1_500);
    expect(states()).toBe('bob udp');
    expect(problems).toEqual([]);
  });

  it('keeps the record of a client over UDP whose address changes', async () => {
    const { pid } = await vpn.server({ ...BOTH, management: join(vpn.directory, 'm'), events });
    await serve(managed());
    const relay = execa('nsenter', ['--net', '--target', `${pid}`, process.execPath, RELAY, '1195', '1194'], {
      reject: false,
    });
    ends.push(() => relay.kill());
    await once(relay.stdout, 'data');
    await vpn.client('bob', { udp: true, number: 1 });
    await shows('bob udp');
    const [server] = servers.servers();
    const port = () => server?.sessions()[0]?.real.port;
    const before = port();
    relay.kill('SIGUSR2');
    await until('OpenVPN lists it at the other port', () => {
      server?.management?.requestStatus();
      return port() !== before;
    });
    expect(states()).toBe('bob udp');
    expect(server?.status()).toMatchObject({ recorded: 1 });
    expect(readdirSync(join(events, 'root'))).toHaveLength(1);
    expect(problems).toEqual([]);
  });

  it('does not guess which of two clients is over TCP if only hooks report them', async () => {
    await vpn.server({ ...BOTH, events });
    await serve();
    await vpn.client('alice', { ...MPTCP, localPort: 5000 });
    await shows('alice unruled');
    await vpn.client('bob', { udp: true, localPort: 5000 });
    await shows('alice unknown; bob unknown');
    expect(problems).toEqual([]);
  });
});

describeIfNewer?.('an OpenVPN that serves TCP at two ports', () => {
  it('has clients at both ports, and each has its own connection', async () => {
    await vpn.server({ ...MPTCP, events, extra: ['local 127.0.0.1 1195 tcp4-server'] });
    await serve();
    await vpn.client('alice', MPTCP);
    await shows('alice unruled');
    const bob = await vpn.client('bob', { ...MPTCP, number: 1 });
    await shows('alice unruled; bob unruled');
    expect(readdirSync(join(events, 'root'))).toHaveLength(2);
    await bob.kill();
    await shows('alice unruled');
    expect(readdirSync(join(events, 'root'))).toHaveLength(1);
    expect(problems).toEqual([]);
  });
});

describe('a client that OpenVPN refuses', () => {
  it('is shown as not let in while OpenVPN lists it', async () => {
    const ccd = join(vpn.directory, 'ccd');
    mkdirSync(ccd, { mode: 0o755 });
    writeFileSync(join(ccd, 'mallory'), 'disable\n');
    await vpn.server({
      ...MPTCP,
      management: join(vpn.directory, 'm'),
      extra: [`client-config-dir ${ccd}`],
    });
    await serve(managed());
    await vpn.client('alice', MPTCP);
    await shows('alice unruled');
    const mallory = await vpn.knock('mallory', MPTCP);
    await shows('alice unruled; mallory not-let-in');
    await mallory.kill();
    await shows('alice unruled', 5_000);
  });

  it('by the script that calls the hook leaves no record', async () => {
    const script = join(vpn.directory, 'connect');
    writeFileSync(script, `#!/bin/sh\n${vpn.hooks}/client-connect\n[ "$common_name" != mallory ]\n`);
    chmodSync(script, 0o755);
    const server = await vpn.server({
      ...MPTCP,
      events,
      extra: [`client-connect ${script}`],
    });
    await serve();
    const mallory = await vpn.knock('mallory', MPTCP);
    await until('it is refused', () => server.log().includes('Failed running command (--client-connect)'));
    await mallory.kill();
    await until('its record is removed', () => readdirSync(join(events, 'root')).length === 0);
    await shows('');
  });
});

describe('a client that leaves', () => {
  it('is gone immediately, also if only management reports it', async () => {
    await vpn.server({ ...MPTCP, management: join(vpn.directory, 'm') });
    await vpn.client('bob');
    const alice = await vpn.client('alice', MPTCP);
    await serve(managed());
    await shows('alice unruled; bob plain');
    // it sends nothing to the server
    await alice.kill('SIGKILL');
    await shows('bob plain', 5_000);
    expect(problems).toEqual([]);
  });

  it('before a deferred script has decided leaves no record', async () => {
    const script = join(vpn.directory, 'connect');
    // It is deferred: it writes its decision into a file later.
    writeFileSync(
      script,
      `#!/bin/sh\n${vpn.hooks}/client-connect\n[ "$common_name" = alice ] && exit 0\n` +
        `echo 2 >"$client_connect_deferred_file"\n(sleep 2; echo 1 >"$client_connect_deferred_file") >/dev/null 2>&1 &\n`,
    );
    chmodSync(script, 0o755);
    await vpn.server({ ...MPTCP, events, extra: [`client-connect ${script}`] });
    await serve();
    await vpn.client('alice');
    const bob = await vpn.knock('bob');
    await until('it is recorded', () => readdirSync(join(events, 'root')).length === 2);
    await bob.kill('SIGKILL');
    await until('its record is removed', () => readdirSync(join(events, 'root')).length === 1);
    // A connected client over plain TCP keeps its session.
    await sleep(6_000);
    expect(states()).toBe('alice plain');
  });
});
