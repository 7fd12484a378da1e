import path from 'node:path';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkout } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import type { ClientHost } from '../lab/network.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const DIRECTORY = path.join(checkout, 'openvpn-conf/client');

needs(...networkNeeds);

let cleanup: Cleanup;
let stage: Stage;
let client: ClientHost;
let state: string;

beforeEach(async () => {
  cleanup = new Cleanup();
  // the kernel of the server accepts joins by itself, so no subflowd has to run
  stage = await buildStage(cleanup);
  const [host] = stage.network.clients;
  if (host === undefined) throw new Error('no client');
  client = host;
  state = temporaryDirectory();
  await forgetSetUp();
  return () => cleanup.run();
});

/** Makes the client as one that was never set up: two networks, each with a default route, and nothing else. */
async function forgetSetUp(): Promise<void> {
  const { namespace } = client;
  await namespace.run('sh', [
    '-c',
    'ip rule flush; ip rule add lookup main priority 32766; ip -6 rule flush; ip -6 rule add lookup main priority 32766;' +
      'ip route flush table 100; ip route flush table 101; ip -6 route flush table 100; ip -6 route flush table 101;' +
      'ip mptcp endpoint flush; ip mptcp limits set subflows 0 add_addr_accepted 0;' +
      'ip route add default via 192.168.200.1 dev lte metric 200; sysctl -qw net.mptcp.enabled=0 net.mptcp.stale_loss_cnt=4',
  ]);
}

/** Runs subflowd-client on the client. @returns its exit code and its output. */
async function run(command: string): Promise<{ readonly exitCode: number; readonly text: string }> {
  const script =
    'SUBFLOWD_CLIENT_STATE="$1" SUBFLOWD_CLIENT_LIB="$2" "$2/subflowd-client" "$3" 2>&1; echo "exit $?"';
  const { stdout } = await client.namespace.run('sh', ['-c', script, 'sh', state, DIRECTORY, command]);
  const [, text = '', code = ''] = /^([^]*?)\n?exit (\d+)$/.exec(stdout) ?? [];
  return { exitCode: Number(code), text };
}

/** Everything that `up` may change, in the words of `ip`. */
async function settings(): Promise<string> {
  const { stdout } = await client.namespace.run('sh', [
    '-c',
    'ip rule; ip -6 rule; ip route show table all | grep -v fe80; ip mptcp endpoint; ip mptcp limits; sysctl net.mptcp.enabled net.mptcp.stale_loss_cnt',
  ]);
  return stdout;
}

async function subflows(): Promise<string[]> {
  const { stdout } = await client.namespace.run('ss', ['-tnH', 'state', 'established', '( dport = 1194 )']);
  return [...stdout.matchAll(/192\.168\.(100|200)\.2(?=[%:])/g)].map(([, network = '']) => network).sort();
}

describe('subflowd-client on a client with two networks and nothing set up', () => {
  it('says what is missing, sets it up so that a tunnel has two subflows, and takes it back', async () => {
    const before = await settings();
    const missing = await run('doctor');
    expect(missing.text).toContain('MPTCP is off');
    expect(missing.text).toContain('a connection may have only 0 further subflows');
    expect(missing.text).toContain('192.168.200.2 of lte is no endpoint');
    expect(missing.text).toContain('packets from 192.168.200.2 leave through wifi, not through lte');
    expect(missing.exitCode).toBe(1);

    expect(await run('up')).toMatchObject({ exitCode: 0 });
    const changed = await settings();
    expect(changed).toContain('net.mptcp.stale_loss_cnt = 1');
    expect(await run('up')).toEqual({ exitCode: 0, text: '' });
    expect(await settings()).toBe(changed);
    await stage.connect(0, 'alice');
    await until('two subflows', async () => (await subflows()).join() === '100,200');
    const fine = await run('doctor');
    expect(fine.text).not.toContain('BAD');
    expect(fine.text).toMatch(/ok +2 networks have a default route and an address/);
    expect(fine.exitCode).toBe(0);
    expect((await run('status')).text).toMatch(/lte 192\.168\.200\.2 \(IPv4\): endpoint \d+\n/);
    // the tunnel has a default route, as with redirect-gateway, and is left out all the same
    await client.namespace.run('ip', ['route', 'add', 'default', 'dev', 'tun0', 'metric', '50']);
    await run('refresh');
    expect((await client.namespace.run('ip', ['mptcp', 'endpoint'])).stdout).not.toContain('10.8.0.');
    await client.namespace.run('ip', ['mptcp', 'endpoint', 'add', '10.8.0.2', 'subflow']);
    expect((await run('doctor')).text).toContain('10.8.0.2 is an endpoint on the tunnel tun0');
    await client.namespace.run('sh', [
      '-c',
      'ip mptcp endpoint delete id $(ip mptcp endpoint | sed -n "s/^10.8.0.2 id \\([0-9]*\\).*/\\1/p")',
    ]);
    await client.namespace.run('ip', ['route', 'del', 'default', 'dev', 'tun0']);

    expect(await run('down')).toEqual({ exitCode: 0, text: '' });
    const withoutTunnel = (text: string) =>
      text
        .split('\n')
        .filter((line) => !line.includes('tun0'))
        .join('\n');
    expect(withoutTunnel(await settings())).toBe(withoutTunnel(before));
    expect(await run('refresh')).toEqual({ exitCode: 0, text: '' });
    expect(withoutTunnel(await settings())).toBe(withoutTunnel(before));
  });

  it('follows networks that come and go', async () => {
    await run('up');
    const lte = figure6Paths[1]?.name ?? '';
    const endpoints = async () => (await client.namespace.run('ip', ['mptcp', 'endpoint'])).stdout;
    await client.namespace.run('ip', ['link', 'set', lte, 'down']);
    await run('refresh');
    expect(await endpoints()).not.toContain('192.168.200.2');
    expect((await client.namespace.run('ip', ['rule'])).stdout).not.toContain('192.168.200.2');
    const one = await run('doctor');
    expect(one.text).toContain('only one network has a default route and an address');
    await client.namespace.run('ip', ['link', 'set', lte, 'up']);
    await client.namespace.run('ip', 'route add default via 192.168.200.1 dev lte metric 200'.split(' '));
    await run('refresh');
    expect(await endpoints()).toContain('192.168.200.2');
    await stage.connect(0, 'alice');
    await until('two subflows', async () => (await subflows()).join() === '100,200');
  });

  it('says that an OpenVPN does not use MPTCP', async () => {
    await run('up');
    await stage.connect(0, 'alice', { mptcp: false });
    const { exitCode, text } = await run('doctor');
    expect(text).toMatch(/BAD +OpenVPN \d+ uses plain TCP\n +to fix it: start it under mptcpize run/);
    expect(exitCode).toBe(1);
  });
});

it('subflowd-client has no fault that shellcheck finds', async () => {
  await execa('shellcheck', ['-x', 'subflowd-client', 'client-doctor.sh', '50-subflowd-client'], {
    cwd: DIRECTORY,
  });
});
