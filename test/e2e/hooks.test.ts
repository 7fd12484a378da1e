import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  defaultHookUsers,
  ensureEventsDirectory,
  HOOKS_GROUP,
} from '../../src/openvpn/records/events-directory.js';
import { userOrNumber } from '../../src/util/accounts.js';
import { parseRecord, type SessionRecord } from '../../src/openvpn/records/record.js';
import { needs } from '../lab/needs.js';
import { openvpnProgram } from '../lab/openvpn-program.js';
import type { LoopbackVpn, Running } from '../support/openvpn.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

// The waits here are not timed: each has its own bound.

const CONF = resolve(import.meta.dirname, '../../openvpn-conf');

/** Debian's units of OpenVPN servers: the present one and the older one. */
const DEBIANS = ['openvpn-server@.service', 'openvpn@.service'];

// The common name in the client's certificate, and the one that OpenVPN passes on: it replaces line ends by _.
const NAMES = [
  ['plain', 'plain'],
  ['alice.example.org', 'alice.example.org'],
  [`Bob "the $(touch /tmp/pwned) \`id\`" O'Neil; *`, `Bob "the $(touch /tmp/pwned) \`id\`" O'Neil; *`],
  ['Zoë 日本語 é', 'Zoë 日本語 é'],
  ['two\nlines', 'two_lines'],
  ['../../../etc/passwd', '../../../etc/passwd'],
  ['-n %s\\0 \\x41', '-n %s\\0 \\x41'],
] as const;

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let events: string;

beforeEach(async () => {
  vpn = await vpnForTest();
  events = vpn.at('events');
});

function records(user: string): SessionRecord[] {
  return readdirSync(join(events, user)).flatMap((name) => {
    const parsed = parseRecord(readFileSync(join(events, user, name)));
    return 'record' in parsed ? [parsed.record] : [];
  });
}

function expectNoComplaint(server: Running): void {
  expect(server.log()).not.toMatch(
    /WARNING: Failed running|could not execute|cannot|Permission denied|I\/O error/i,
  );
}

describe('hooks run by OpenVPN', () => {
  it('record sessions as the user nobody, with any common name, and remove the records', async () => {
    ensureEventsDirectory(events);
    const server = await vpn.server({ events, user: 'nobody' });
    expect(readFileSync(`/proc/${server.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534/m);
    const clients: Running[] = [];
    for (const [name] of NAMES) clients.push(await vpn.client(name));

    const found = records('nobody');
    expect(found.map(({ commonName }) => commonName).sort()).toEqual(NAMES.map(([, name]) => name).sort());
    for (const record of found) {
      expect(record.pid).toBe(server.pid);
      expect(record.real.address).toBe('127.0.0.1');
      expect(record.virtual[0]).toMatch(/^10\.8\.0\.\d+$/);
      expect(Math.abs((record.since ?? 0) - Date.now() / 1000)).toBeLessThan(60);
    }
    for (const client of clients) await client.kill();
    await until('no record is left', () => readdirSync(join(events, 'nobody')).length === 0);
    expectNoComplaint(server);
  });

  it('let clients in if their directory is missing or cannot be written', async () => {
    const server = await vpn.server({ events, user: 'nobody' });
    await (await vpn.client('no directory')).kill();
    ensureEventsDirectory(events, [userOrNumber(0)]);
    await (await vpn.client('only root has one')).kill();
    ensureEventsDirectory(events);
    chmodSync(join(events, 'nobody'), 0o500);
    await (await vpn.client('read-only')).kill();
    expect(readdirSync(join(events, 'nobody'))).toEqual([]);
    chmodSync(join(events, 'nobody'), 0o700);
    await vpn.client('at last');
    expect(records('nobody').map(({ commonName }) => commonName)).toEqual(['at last']);
    expectNoComplaint(server);
  });

  it('work in the sandbox of the unit that Debian ships', async () => {
    ensureEventsDirectory(events);
    const server = await vpn.server({ events, user: 'nobody', wrapper: debianSandbox() });
    const limits = readFileSync(`/proc/${server.pid}/limits`, 'utf8');
    expect(limits).toMatch(/^Max processes\s+10\s+10/m);
    // CAP_NET_ADMIN (12) is in its bounding set; CAP_CHOWN (0) and CAP_SYS_ADMIN (21) are not.
    const bounding = /^CapBnd:\t(\w+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1];
    expect([0, 12, 21].map((bit) => (BigInt(`0x${bounding}`) >> BigInt(bit)) & 1n)).toEqual([0n, 1n, 0n]);
    const client = await vpn.client('sandboxed');
    expect(records('nobody').map(({ pid, commonName }) => [pid, commonName])).toEqual([
      [server.pid, 'sandboxed'],
    ]);
    await client.kill();
    await until('no record is left', () => readdirSync(join(events, 'nobody')).length === 0);
    expectNoComplaint(server);
  });

  it('write the records of a server that runs as root to the directory of root', async () => {
    ensureEventsDirectory(events);
    const server = await vpn.server({ events, ipv6: true });
    await vpn.client('over IPv6', { ipv6: true });
    const [record] = records('root');
    expect(record).toMatchObject({ pid: server.pid, commonName: 'over IPv6', real: { address: '::1' } });
    const [file = ''] = readdirSync(join(events, 'root'));
    expect(statSync(join(events, 'root', file)).mode & 0o777).toBe(0o640);
  });

  it('let clients in and out on a full disk', async () => {
    mkdirSync(events);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=16k,mode=755', 'tmpfs', events]);
    try {
      ensureEventsDirectory(events);
      const server = await vpn.server({ events });
      await execa('dd', ['if=/dev/zero', `of=${join(events, 'filler')}`, 'bs=4k'], { reject: false });
      const client = await vpn.client('nowhere');
      expect(readdirSync(join(events, 'root'))).toEqual([]);
      await client.kill();
      expectNoComplaint(server);
    } finally {
      await execa('umount', ['--lazy', events]);
    }
  });
});

describe('openvpn-conf', () => {
  it('has lines for OpenVPN that make hooks and management work', async () => {
    ensureEventsDirectory(events);
    const socket = vpn.at('management.sock');
    const lines = readFileSync(join(CONF, 'server.conf'), 'utf8')
      .replaceAll('/run/subflowd/management/server.sock', socket)
      .replaceAll('/usr/local/lib/subflowd', vpn.hooks)
      .replace(';setenv SUBFLOWD_EVENTS /run/subflowd/events', `setenv SUBFLOWD_EVENTS ${events}`);
    expect(lines).toContain(`client-connect ${vpn.hooks}/client-connect`);
    const server = await vpn.server({ extra: lines.split('\n') });
    await vpn.client('by the book', { config: join(CONF, 'client.conf') });
    expect(records('root').map(({ commonName }) => commonName)).toEqual(['by the book']);
    expect(statSync(socket).isSocket()).toBe(true);
    expectNoComplaint(server);
  });

  it('has a tmpfiles line for each directory that the daemon creates', async () => {
    const root = vpn.at('root');
    mkdirSync(join(root, 'etc'), { recursive: true });
    for (const file of ['passwd', 'group']) cpSync(join('/etc', file), join(root, 'etc', file));
    await execa('systemd-sysusers', [`--root=${root}`, join(CONF, 'subflowd-sysusers.conf')]);
    await execa('systemd-tmpfiles', ['--create', `--root=${root}`, join(CONF, 'subflowd-tmpfiles.conf')]);
    const groups = readFileSync(join(root, 'etc/group'), 'utf8');
    const group = Number(new RegExp(`^${HOOKS_GROUP}:[^:]*:(\\d+):`, 'm').exec(groups)?.[1]);
    ensureEventsDirectory(events, defaultHookUsers(), group);
    const made = join(root, 'run/subflowd/events');
    expect(readdirSync(made).sort()).toEqual(readdirSync(events).sort());
    for (const name of ['.', ...readdirSync(events)]) {
      const { uid, gid, mode } = statSync(join(events, name));
      expect(statSync(join(made, name))).toMatchObject({ uid, gid, mode });
    }
  });

  it.each(DEBIANS)('starts the command of Debian’s %s under mptcpize', (unit) => {
    const commands = (file: string) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('ExecStart='))
        .map((line) => line.slice('ExecStart='.length));
    const [command = ''] = commands(join('/lib/systemd/system', unit));
    expect(command).toMatch(/^\/usr\/sbin\/openvpn /);
    expect(commands(join(CONF, `${unit}.d`, 'mptcp.conf'))).toEqual(['', `/usr/bin/mptcpize run ${command}`]);
  });

  it('has units that systemd accepts', async () => {
    const units = vpn.at('units');
    cpSync(CONF, units, { recursive: true });
    for (const unit of DEBIANS) cpSync(join('/lib/systemd/system', unit), join(units, unit));
    const service = join(units, 'subflowd.service');
    // This test does not depend on where subflowd is installed.
    writeFileSync(service, readFileSync(service, 'utf8').replace(/^ExecStart=.*/m, 'ExecStart=/bin/true'));
    for (const unit of ['subflowd.service', 'openvpn-server@a.service', 'openvpn@a.service']) {
      const { all } = await execa('systemd-analyze', ['verify', '--man=no', join(units, unit)], {
        all: true,
      });
      expect(all).toBe('');
    }
  });
});

/** A command that makes the sandbox of Debian 12's openvpn-server@.service without systemd, with its steps in the same order. */
function debianSandbox(): string[] {
  const capabilities =
    'cap_ipc_lock,cap_net_admin,cap_net_bind_service,cap_net_raw,cap_setgid,cap_setuid,cap_setpcap,' +
    'cap_sys_chroot,cap_dac_override,cap_audit_write';
  const script = [
    'set -e',
    'mount --make-rprivate /',
    'mount -t tmpfs tmpfs /tmp', // PrivateTmp
    'mount -t tmpfs tmpfs /var/tmp',
    'mount --bind /usr /usr && mount -o remount,bind,ro /usr', // ProtectSystem=true
    // ProtectHome, except for an OpenVPN that is installed below /root.
    'kept=$(mktemp -d); [ -z "$0" ] || mount --bind "$0" "$kept"',
    'for d in /home /root /run/user; do [ ! -d $d ] || mount -t tmpfs -o mode=000 tmpfs $d; done',
    '[ -z "$0" ] || { mkdir -p "$0"; mount --bind "$kept" "$0"; umount "$kept"; }',
    'for d in /home /root /run/user; do [ ! -d $d ] || mount -o remount,ro $d; done',
    // CapabilityBoundingSet drops all others.
    `keep=${capabilities}`,
    'drop=$(capsh --print | sed -n "s/^Bounding set =//p" | tr , "\\n" | grep -vxF "$(echo $keep | tr , "\\n")" | paste -sd,)',
    'exec prlimit --nproc=10:10 capsh --drop="$drop" -- -c \'exec "$0" "$@"\' "$@"',
  ].join('\n');
  return [
    'unshare',
    '--mount',
    'sh',
    '-c',
    script,
    isAbsolute(openvpnProgram) ? join(dirname(openvpnProgram), '../..') : '',
  ];
}
