import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { NetlinkBackend } from '../../src/backend/netlink.js';
import type { ServerConfig } from '../../src/config/config.js';
import { Servers } from '../../src/openvpn/servers.js';
import { isOpenvpn } from '../../src/openvpn/records/process.js';
import { needs } from '../lab/needs.js';
import type { LoopbackVpn, Running } from '../support/openvpn.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

/** Starts OpenVPN as process 1 of a PID namespace of its own, as docker does, and ends it with unshare. */
const IN_NAMESPACE = ['unshare', '--pid', '--fork', '--kill-child'];

let vpn: LoopbackVpn;
let problems: string[];

beforeEach(async () => {
  vpn = await vpnForTest();
  problems = [];
});

/** The PID on this host of the OpenVPN that a wrapper started. */
function childOf({ pid }: Running): number {
  const child = readdirSync('/proc')
    .map(Number)
    .filter((one) => Number.isInteger(one) && isOpenvpn(one))
    .find((one) => new RegExp(`^PPid:\\s+${pid}$`, 'm').test(readFileSync(`/proc/${one}/status`, 'latin1')));
  if (child === undefined) throw new Error(`process ${pid} has no OpenVPN`);
  return child;
}

function observe(configs: readonly ServerConfig[]): Servers {
  const servers = new Servers(configs, { events: { rescanMs: 200 } });
  servers.on('problem', (problem) => {
    // the server starts later
    if (!problem.includes('there is no such socket')) problems.push(problem);
  });
  servers.start();
  onTestFinished(() => {
    servers.stop();
  });
  return servers;
}

/** Each session as `SERVER PID NAME`, and how many of each server the hooks recorded. */
function sessionsOf(servers: Servers): string {
  const sessions = servers.sessions().map(({ server, pid, commonName }) => `${server} ${pid} ${commonName}`);
  const recorded = servers.servers().map((server) => `${server.name} ${server.status().recorded}`);
  return [...sessions.sort(), ...recorded].join(', ');
}

async function untilSessions(servers: Servers, expected: string): Promise<void> {
  await until(expected, () => sessionsOf(servers) === expected).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${sessionsOf(servers)}; problems: ${problems.join('; ')}`);
  });
}

describe('an OpenVPN in a PID namespace of its own', () => {
  needs('root', 'tun', 'openvpn', 'mptcp');

  /** A config of a server, without management unless given. */
  const configOf = (name: string, isManaged: boolean): ServerConfig => ({
    name,
    events: vpn.at(`events-${name}`),
    ...(isManaged && { management: { socket: vpn.at(`m-${name}`) }, passwordFile: vpn.passwordFile }),
  });
  const start = (name: string, isManaged: boolean, number = 0) =>
    vpn.server({
      number,
      events: vpn.at(`events-${name}`),
      ...(isManaged && { management: vpn.at(`m-${name}`) }),
      wrapper: [...IN_NAMESPACE, 'mptcpize', 'run'],
    });

  it.each([
    ['management and hooks', true],
    ['hooks alone', false],
  ])('is found by %s, with its PID on this host', async (_, isManaged) => {
    const servers = observe([configOf('a', isManaged)]);
    const server = await start('a', isManaged);
    await vpn.client('alice');
    const pid = childOf(server);
    await untilSessions(servers, `a ${pid} alice, a 1`);
    expect(readFileSync(`/proc/${pid}/status`, 'latin1')).toMatch(/^NSpid:\s+\d+\s+1$/m);
    expect(servers.servers()[0]?.pids()).toEqual([pid]);
    expect(problems).toEqual([]);
    // and so its connections are found in the kernel
    const backend = await NetlinkBackend.open();
    const { connections, plain } = await backend.connections(pid);
    await backend.close();
    expect(connections.length + plain.length).toBe(1);
  });

  it('leaves no session and no record when it is killed, and is found again when it starts anew', async () => {
    const servers = observe([configOf('a', false)]);
    const first = await start('a', false);
    const client = await vpn.client('alice');
    await untilSessions(servers, `a ${childOf(first)} alice, a 1`);
    await client.kill('SIGKILL');
    await first.kill('SIGKILL');
    await untilSessions(servers, 'a 0');
    expect(readdirSync(join(vpn.at('events-a'), 'root'))).toEqual([]);
    const second = await start('a', false);
    await vpn.client('bob');
    await untilSessions(servers, `a ${childOf(second)} bob, a 1`);
    expect(problems).toEqual([]);
  });

  it('is distinguished from another one with the same PID by who listens at its management interface', async () => {
    const servers = observe([configOf('a', true), configOf('b', true)]);
    const [a, b] = [await start('a', true), await start('b', true, 1)];
    await vpn.client('alice');
    await vpn.client('bob', { number: 1 });
    await untilSessions(servers, `a ${childOf(a)} alice, b ${childOf(b)} bob, a 1, b 1`);
  });

  it('is reported if another one has the same PID and only hooks show them', async () => {
    const servers = observe([configOf('a', false), configOf('b', false)]);
    await start('a', false);
    await start('b', false, 1);
    await vpn.client('alice');
    await until('the report', () =>
      problems.some((text) =>
        /several OpenVPN processes report that they are process 1, .*set `management =`/.test(text),
      ),
    );
    expect(sessionsOf(servers)).toBe('a 0, b 0');
    expect(readdirSync(join(vpn.at('events-a'), 'root'))).toHaveLength(1);
  });
});
