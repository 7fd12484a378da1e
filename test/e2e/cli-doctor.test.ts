import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Check } from '../../src/model/check.js';
import { needs } from '../lab/needs.js';
import { MAIN } from '../support/command-line.js';
import type { LoopbackVpn } from '../support/openvpn.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

let vpn: LoopbackVpn;

beforeEach(async () => {
  vpn = await vpnForTest();
});

/** How the check begins that each server has, whatever is wrong with it. The unit test of join-obstacles tests it. */
const BLACKHOLE = 'net.mptcp.blackhole_timeout = ';

/** @returns what else doctor reports of the one server of a config that has its management interface. */
async function doctor(backend = 'devmem'): Promise<Check[]> {
  const config = vpn.at('subflowd.ini');

  const lines = [
    '[openvpn lab]',
    `management = ${vpn.at('m')}`,
    `password-file = ${vpn.passwordFile}`,
    `events = ${vpn.at('events')}`,
    '[console]',
    `socket = ${vpn.at('console.sock')}`,
    '[kernel]',
    `backend = ${backend}`,
    '',
  ];
  writeFileSync(config, lines.join('\n'));
  const args = [MAIN, 'doctor', '--json', '-c', config];
  const { stdout } = await execa(process.execPath, args, { reject: false, timeout: 60_000 });
  return (JSON.parse(stdout) as Check[]).filter(
    ({ name, found }) =>
      (name.startsWith('server lab') || name === 'openvpn') && !found.startsWith(BLACKHOLE),
  );
}

/** Settings of a server whose management interface is at `m`. */
function managed(extra: readonly string[] = []) {
  return { management: vpn.at('m'), extra };
}

function expectAnswer(check: Check | undefined): void {
  const found = expect.stringMatching(/^management answers: OpenVPN \d/) as string;
  expect(check).toEqual({ name: 'server lab', verdict: 'ok', found });
}

describe('subflowd doctor on a real OpenVPN server', () => {
  needs('root', 'tun', 'openvpn', 'mptcp');

  it('finds no fault with one under mptcpize', async () => {
    const { pid } = await vpn.server({ ...managed(), wrapper: ['mptcpize', 'run'] });
    await vpn.client('alice');
    const [first, ...rest] = await doctor();
    expectAnswer(first);
    expect(rest).toEqual([{ name: `server lab, process ${pid}`, verdict: 'ok', found: 'it serves MPTCP' }]);
  });

  it('demands the userspace path manager in the server’s network namespace for netlink', async () => {
    const { pid } = await vpn.server({ ...managed(), wrapper: ['mptcpize', 'run'] });
    await vpn.client('alice');
    const inServer = ['--target', String(pid), '--net', '--'];
    const [, , ...wrong] = await doctor('netlink');
    expect(wrong).toEqual([
      {
        name: `server lab, process ${pid}`,
        verdict: 'bad',
        found: expect.stringMatching(
          /^net\.mptcp\.(?:path_manager = kernel|pm_type = 0) in its network namespace: netlink cannot set priorities there$/,
        ) as string,
        remedy: expect.stringMatching(/subflowd-sysctl\.conf .* until they reconnect/) as string,
      },
    ]);
    await execa('nsenter', [...inServer, 'sysctl', '-w', 'net.mptcp.pm_type=1']);
    expect((await doctor('netlink')).map(({ verdict }) => verdict)).toEqual(['ok', 'ok']);
    await execa('nsenter', [...inServer, 'ip', 'mptcp', 'endpoint', 'add', '192.0.2.7', 'signal']);
    const [, , signal] = await doctor('netlink');
    expect(signal).toMatchObject({ verdict: 'note' });
    expect(signal?.found).toContain('does not announce its endpoints (192.0.2.7)');
  });

  it('reports that one without mptcpize listens with plain TCP, and how to fix it', async () => {
    const { pid } = await vpn.server(managed());
    await vpn.client('alice');
    const [first, ...rest] = await doctor();
    expectAnswer(first);
    expect(rest).toEqual([
      {
        name: `server lab, process ${pid}`,
        verdict: 'bad',
        found: 'it listens with plain TCP',
        remedy: expect.stringContaining('start it under mptcpize') as string,
      },
    ]);
  });

  it('reports that one under mptcpize serves UDP, and how to fix it', async () => {
    const { pid } = await vpn.server({ ...managed(['proto udp4']), wrapper: ['mptcpize', 'run'] });
    const [first, ...rest] = await doctor();
    expectAnswer(first);
    expect(rest).toEqual([
      {
        name: `server lab, process ${pid}`,
        verdict: 'bad',
        found: 'it serves UDP: MPTCP is TCP',
        remedy: expect.stringContaining('proto tcp-server') as string,
      },
    ]);
  });

  it('names a client that connects with plain TCP to one under mptcpize', async () => {
    const { pid } = await vpn.server({ ...managed(), wrapper: ['mptcpize', 'run'] });
    const inServer = ['--target', String(pid), '--net', '--'];
    await execa('nsenter', [...inServer, 'ip', 'address', 'add', '192.0.2.7/32', 'dev', 'lo']);
    const code =
      "require('node:net').connect({ host: '127.0.0.1', port: 1194, localAddress: '192.0.2.7', localPort: 4711 })";
    const peer = execa('nsenter', [...inServer, process.execPath, '-e', code], { reject: false });
    try {
      const plain = await until('doctor sees it', async () =>
        (await doctor()).find(({ verdict }) => verdict === 'note'),
      );
      expect(plain).toEqual({
        name: `server lab, process ${pid}`,
        verdict: 'note',
        found: 'plain TCP comes from 192.0.2.7:4711',
        remedy: expect.stringContaining('mptcpize run') as string,
      });
    } finally {
      peer.kill('SIGKILL');
      await peer;
    }
  });

  it('reports that no process answers at the socket, and why', async () => {
    const [check, ...rest] = await doctor();
    expect(check).toMatchObject({ name: 'server lab', verdict: 'bad' });
    expect(check?.found).toContain('there is no such socket (is OpenVPN running');
    expect(check?.remedy).toContain('openvpn-conf/server.conf');
    expect(rest).toEqual([]);
  });

  it('reports that another management client is connected', async () => {
    await vpn.server(managed());
    const code = `require('node:net').connect(${JSON.stringify(vpn.at('m'))}).pipe(process.stdout)`;
    const other = execa(process.execPath, ['-e', code], { reject: false, buffer: false });
    try {
      await once(other.stdout, 'data');
      const [check] = await doctor();
      expect(check).toMatchObject({ name: 'server lab', verdict: 'bad' });
      expect(check?.found).toContain('probably another management client is connected');
    } finally {
      other.kill('SIGKILL');
      await other;
    }
  });

  it('reports a wrong password without printing it', async () => {
    await vpn.server(managed());
    const right = readFileSync(vpn.passwordFile, 'utf8');
    writeFileSync(vpn.passwordFile, 'wrong and forgotten\n');
    const checks = await doctor();
    writeFileSync(vpn.passwordFile, right);
    expect(checks[0]?.found).toContain(`it refuses the password in ${vpn.passwordFile}`);
    expect(JSON.stringify(checks)).not.toContain('forgotten');
  });
});
