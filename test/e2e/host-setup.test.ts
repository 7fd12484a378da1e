import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostForSetup, type RunningClient } from '../support/host-for-setup.js';
import { TWO_PATHS } from '../support/two-paths.js';
import { until } from '../support/until.js';

const CONFIG = '/etc/openvpn/server/office.conf';
const DONE = 'Initialization Sequence Completed';
/** Refuses one client, and gives the others a route by the file that is its last argument. */
const CHECK = `#!/bin/sh
[ "$common_name" != mallory ] || exit 1
echo 'push "route 203.0.113.0 255.255.255.0"' >"$1"
`;

let host: HostForSetup;

beforeEach(async () => {
  host = await HostForSetup.create();
});
afterEach(() => host.destroy());

/** An admin's server of the usual kind. */
async function startServer(proto: 'udp' | 'tcp-server', ...extra: readonly string[]): Promise<void> {
  const lines = [
    ...[`proto ${proto}`, 'port 1194', 'dev tun', 'topology subnet', 'server 10.8.0.0 255.255.255.0'],
    ...['keepalive 10 60', 'user nobody', 'group nogroup', 'persist-key', 'persist-tun', 'verb 3'],
    ...['script-security 2', 'client-connect /etc/openvpn/check.sh', 'management 127.0.0.1 7505'],
    ...['ifconfig-pool-persist /var/log/ipp.txt', ...host.credentials, ...extra],
  ];
  await host.write(CONFIG, `${lines.join('\n')}\n`, '640');
  await host.write('/etc/openvpn/check.sh', CHECK, '755');
  await mustRun('systemctl', 'enable', '--now', 'openvpn-server@office');
}

async function mustRun(command: string, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await host.run(command, ...args);
  expect([code, err], `${command} ${args.join(' ')}: ${out}`).toEqual([0, expect.anything()]);
  return out;
}

/** What a monitor reads at the address of the management interface, after one command. */
async function monitor(port: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port}; echo pid >&3; timeout 5 head -n 2 <&3; echo quit >&3`;
  return (await host.run('bash', '-c', script)).out;
}

async function pidOf(unit: string): Promise<string> {
  return (await host.run('cat', `/run/units/${unit}.pid`)).out;
}

async function isServed(client: RunningClient): Promise<void> {
  await until('the client is served', () => client.log().includes(DONE), 30_000).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${client.log()}`);
  });
}

describe('subflowd setup', () => {
  it('gives a UDP server an instance over TCP, breaks nothing, and can be undone', async () => {
    await startServer('udp', 'explicit-exit-notify 1');
    const before = await host.files();
    const pid = await pidOf('openvpn-server@office');
    const sysctl = await mustRun('sysctl', 'net.mptcp');
    const overUdp = await host.client('olga', 'udp', 1194);
    await isServed(overUdp);

    const shown = await host.subflowd('setup', '--dry-run');
    expect(shown).toMatchObject({ code: 0 });
    expect(await host.files()).toEqual(before);

    const made = await host.subflowd('setup', '--yes');
    expect([made.code, made.err], made.out).toEqual([0, '']);
    expect(made.out).toContain('+proto tcp-server');
    expect(made.out).not.toMatch(/^BAD/m);
    expect(await pidOf('openvpn-server@office')).toBe(pid);
    expect(await monitor(7505)).toContain('SUCCESS: pid=');
    expect(await monitor(7506)).toContain('SUCCESS: pid=');

    const refused = await host.client('mallory', 'tcp', 1194);
    await until('mallory is refused', () => refused.log().includes('AUTH_FAILED'), 30_000);
    const alice = await host.client('alice', 'tcp', 1194);
    await isServed(alice);
    expect(alice.log()).toContain('route 203.0.113.0 255.255.255.0');
    const records = await mustRun('sh', '-c', 'cat /run/subflowd/events/nobody/*');
    expect(records).toContain('common_name=alice');
    expect(records).not.toContain('mallory');

    await mustRun('sh', '-c', `cat >>/etc/subflowd/subflowd.ini <<'END'\n${TWO_PATHS}END`);
    await until('alice has two paths', async () => {
      const { out } = await host.subflowd('status');
      return out.includes('wifi') && out.includes('lte') && !out.includes('mallory');
    });
    expect(await host.subflowd('primary', 'alice', 'lte')).toMatchObject({ code: 0 });
    await until('alice is on lte', async () => {
      const { out } = await host.subflowd('status', 'alice');
      return /lte\s.*\bactive\b/.test(out) && /wifi\s.*\bbackup\b/.test(out);
    });
    expect(await host.subflowd('setup', '--yes')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^nothing to do$/m) as string,
    });
    expect(overUdp.log().match(new RegExp(DONE, 'g'))).toHaveLength(1);

    const undone = await host.subflowd('setup', '--undo', '--yes');
    expect([undone.code, undone.err], undone.out).toEqual([0, '']);
    expect(await host.files()).toEqual(before);
    expect(undone.out).toContain('/var/lib/subflowd/setup/kept/subflowd.ini');
    expect(await mustRun('sysctl', 'net.mptcp')).toBe(sysctl);
    expect(await pidOf('openvpn-server@office')).toBe(pid);
    expect(await monitor(7505)).toContain('SUCCESS: pid=');
    expect(await pidOf('openvpn-server@office-tcp')).toBe('');
    expect(overUdp.isRunning()).toBe(true);
  });

  it('gives a TCP server MPTCP, and keeps its monitor at its address', async () => {
    await startServer('tcp-server');
    const before = await host.files();
    const made = await host.subflowd('setup', '--yes', '--observe');
    expect([made.code, made.err], made.out).toEqual([0, '']);
    expect(made.out).not.toMatch(/^BAD/m);
    await until('the monitor gets its answers', async () => (await monitor(7505)).includes('SUCCESS: pid='));
    const refused = await host.client('mallory', 'tcp', 1194);
    await until('mallory is refused', () => refused.log().includes('AUTH_FAILED'), 30_000);
    const alice = await host.client('alice', 'tcp', 1194);
    await isServed(alice);
    expect(alice.log()).toContain('route 203.0.113.0 255.255.255.0');
    expect((await host.subflowd('status')).out).toContain('dry-run');
    expect(await host.subflowd('setup', '--yes', '--steer')).toMatchObject({ code: 0 });

    // the line of management is one that setup wrote
    await mustRun('sed', '-i', 's/^management .*/& # mine/', CONFIG);
    const refusedUndo = await host.subflowd('setup', '--undo', '--yes');
    expect(refusedUndo.code).toBe(1);
    expect(refusedUndo.err).toContain('in lines that setup wrote, so nothing is undone:');
    expect(refusedUndo.err).toContain(CONFIG);
    await mustRun('sed', '-i', 's/ # mine$//', CONFIG);

    await mustRun('sh', '-c', `echo '# mine' >>${CONFIG}`);
    const undone = await host.subflowd('setup', '--undo', '--yes');
    expect([undone.code, undone.err], undone.out).toEqual([0, '']);
    expect(undone.out).toContain(`${CONFIG} keeps the changes that you made after setup`);
    expect(await mustRun('tail', '-n', '1', CONFIG)).toBe('# mine');
    await mustRun('sed', '-i', '$d', CONFIG);
    expect(await host.files()).toEqual(before);
    expect(await monitor(7505)).toContain('SUCCESS: pid=');
  });
});
