import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetlinkBackend } from '../../src/backend/netlink.js';
import { Controller } from '../../src/control/controller.js';
import { readHookOptions } from '../../src/doctor/hooks.js';
import { ensureEventsDirectory } from '../../src/openvpn/records/events-directory.js';
import { parseRecord, type SessionRecord } from '../../src/openvpn/records/record.js';
import { Servers } from '../../src/openvpn/servers.js';
import { checkout } from '../lab/checkout.js';
import { needs } from '../lab/needs.js';
import { configOf } from '../support/config.js';
import type { LoopbackVpn, Running, ServerSettings } from '../support/openvpn.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

// The waits here are not timed: each has its own bound.

needs('root', 'tun', 'openvpn', 'mptcp');

const MPTCP = ['mptcpize', 'run'];

let vpn: LoopbackVpn;
let events: string;
let plugin: string;
let ends: (() => unknown)[];

beforeEach(async () => {
  vpn = await vpnForTest();
  events = vpn.at('events');
  ensureEventsDirectory(events);
  plugin = join(vpn.hooks, 'subflowd-plugin.so');
  cpSync(join(checkout, 'build/Release/subflowd-plugin.so'), plugin);
  ends = [];
});

afterEach(async () => {
  for (const end of ends) await end();
});

/** Starts a server whose only report to subflowd is the plugin. */
function start(settings: ServerSettings & { readonly extra?: readonly string[] } = {}): Promise<Running> {
  const extra = [`plugin ${plugin} ${events}`, ...(settings.extra ?? [])];
  return vpn.server({ user: 'nobody', ...settings, extra });
}

/** The settings under which OpenVPN cannot run a script: a chroot without a shell, and level 1. */
function withoutScripts(): ServerSettings {
  const root = vpn.at('empty-root');
  // OpenVPN itself does not start without it
  mkdirSync(join(root, 'tmp'), { recursive: true });
  return { extra: [`chroot ${root}`, 'script-security 1'] };
}

function records(user = 'nobody'): SessionRecord[] {
  return readdirSync(join(events, user)).flatMap((name) => {
    const parsed = parseRecord(readFileSync(join(events, user, name)));
    return 'record' in parsed ? [parsed.record] : [];
  });
}

/** Joins the parts that observe, as the daemon does. @returns each session and its state. */
async function observe(): Promise<() => string> {
  const servers = new Servers([{ name: 's', events }], { server: { pollMs: 600_000 } });
  const backend = await NetlinkBackend.open();
  const controller = new Controller({
    backend,
    sessions: () => servers.sessions(),
    sessionsWithoutPort: () => servers.sessionsWithoutPort(),
    config: () => configOf([]),
    overrides: () => new Map(),
  });
  servers.on('status', () => {
    backend.trackServers(servers.servers().flatMap((server) => server.status().pids));
  });
  servers.on('change', () => void controller.refresh());
  servers.start();
  controller.start();
  ends = [
    () => {
      servers.stop();
    },
    () => controller.stop(),
    () => backend.close(),
  ];
  const states = () => controller.current().sessions;
  return () => states().map(({ session, state }) => `${session.commonName} ${state}`).sort().join('; '); // prettier-ignore
}

describe('the plugin in OpenVPN', () => {
  it('reports the sessions of a server in a chroot that may run no script and start no process', async () => {
    const wrapper = ['prlimit', '--nproc=10:10', ...MPTCP];
    const server = await start({ ...withoutScripts(), wrapper });
    expect(readFileSync(`/proc/${server.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534/m);
    const shown = await observe();
    const client = await vpn.client('alice', { wrapper: MPTCP });
    expect(records()).toMatchObject([
      { pid: server.pid, commonName: 'alice', virtual: ['10.8.0.2'], real: { address: '127.0.0.1' } },
    ]);
    await until('its connection is found', () => shown() === 'alice unruled');
    await client.kill();
    await until('the session has ended', () => shown() === '');
    expect(readdirSync(join(events, 'nobody'))).toEqual([]);
    expect(server.log()).not.toMatch(/cannot|WARNING: Failed|plugin call failed|denied/i);
    expect(await readHookOptions(server.pid)).toMatchObject({ plugin, isPluginLoaded: true });
  });

  it('leaves every decision to the scripts of the admin, and records what they decided', async () => {
    const seen = vpn.at('seen');
    mkdirSync(seen);
    chmodSync(seen, 0o777);
    script('decide', [
      `echo "connect $common_name" >>${seen}/calls`,
      '[ "$common_name" = mallory ] && exit 1',
      '[ "$common_name" = bob ] && echo "ifconfig-push 10.8.0.77 255.255.255.0" >"$1"',
      'exit 0',
    ]);
    script('left', [`echo "disconnect $common_name" >>${seen}/calls`]);
    const calls = () => readFileSync(join(seen, 'calls'), 'utf8').trim().split('\n');
    const server = await start({
      extra: [
        ...['script-security 2', `client-connect ${vpn.hooks}/decide`, `client-disconnect ${vpn.hooks}/left`],
      ],
    });
    const mallory = await vpn.knock('mallory');
    await until('mallory is refused', () => /client-connect.*failed|fail/i.test(server.log()));
    expect(records()).toEqual([]);
    await mallory.kill();
    const alice = await vpn.client('alice');
    const bob = await vpn.client('bob');
    expect(records().map(({ commonName, virtual }) => [commonName, virtual[0]]).sort()).toEqual([
      ['alice', expect.stringMatching(/^10\.8\.0\.\d+$/)],
      ['bob', '10.8.0.77'],
    ]); // prettier-ignore
    await alice.kill();
    await bob.kill();
    await until('no record is left', () => readdirSync(join(events, 'nobody')).length === 0);
    await until('the script has run', () => calls().includes('disconnect bob'));
    expect(
      calls()
        .filter((call) => call.startsWith('disconnect'))
        .sort(),
    ).toEqual(['disconnect alice', 'disconnect bob']);
  });

  it('reports a client of a bridge when its first frame arrives', async () => {
    const server = await start({ user: 'nobody', extra: ['dev tap'] });
    await vpn.client('carol', { tap: true });
    await until('it is recorded', () => records().length === 1);
    expect(records()).toMatchObject([{ pid: server.pid, commonName: 'carol' }]);
  });

  it('does not mind that its line stands twice, or that both scripts of subflowd are there too', async () => {
    const server = await start({ events, extra: [`plugin ${plugin} ${events}`] });
    const client = await vpn.client('alice');
    expect(records()).toHaveLength(1);
    await client.kill();
    await until('no record is left', () => readdirSync(join(events, 'nobody')).length === 0);
    expect(server.log()).not.toMatch(/WARNING: Failed|plugin call failed/i);
  });

  it('lets clients in if the events directory is missing, and records them when it is there', async () => {
    const server = await vpn.server({ user: 'nobody', extra: [`plugin ${plugin} ${vpn.at('later')}`] });
    expect(server.log()).toContain('no session is recorded until');
    await (await vpn.client('nowhere')).kill();
    ensureEventsDirectory(vpn.at('later'));
    await vpn.client('at last');
    expect(readdirSync(vpn.at('later/nobody'))).toHaveLength(1);
  });
});

function script(name: string, lines: readonly string[]): void {
  writeFileSync(join(vpn.hooks, name), ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
}
