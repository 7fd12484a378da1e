import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkout } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import { DebianContainer } from '../lab/debian/container.js';
import { needs } from '../lab/needs.js';

const PACKAGES = path.join(checkout, 'out/packages');

const INI = `[openvpn server]
events = /run/subflowd/events
[path wifi]
prefix = 192.168.100.0/24
[default]
primary = wifi
`;

/**
 * Prints everything that a package can leave: each file with its mode and owner, the accounts, and the settings of MPTCP.
 * Without logs, caches, what dpkg and systemd store about packages that were here, and backups of the accounts.
 */
const LIST_HOST = `
  find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache \\
    -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /packages -o -name '*-' \\) -prune -o -printf '%p %M %u %g\\n' | sort
  cat /etc/passwd /etc/group; grep -r . /proc/sys/net/mptcp; systemctl list-unit-files --no-legend --no-pager`;

let deb: string;
/** The same package with a higher version. */
let newer: string;
const cleanup = new Cleanup();

/** A directory that is removed after the tests. */
async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'subflowd-debian-'));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

beforeAll(async () => {
  await execa('bash', [path.join(checkout, 'packaging/package.sh')]);
  const found = (await readdir(PACKAGES)).filter((name) => /^subflowd_.*\.deb$/.test(name));
  expect(found).toHaveLength(1);
  deb = path.join(PACKAGES, found[0] ?? '');
  const unpacked = path.join(await newDirectory(), 'newer');
  await execa('dpkg-deb', ['--raw-extract', deb, unpacked]);
  await execa('sed', ['-i', 's/^Version: .*/&+newer/', path.join(unpacked, 'DEBIAN/control')]);
  newer = `${unpacked}.deb`;
  await execa('dpkg-deb', ['-Znone', '--build', unpacked, newer]);
}, 900_000);
afterAll(() => cleanup.run());

describe.each(['bookworm', 'trixie'])('the package on a bare Debian %s', (suite) => {
  needs('root');
  let debian: DebianContainer;
  let before: string;

  beforeAll(async () => {
    debian = await DebianContainer.boot(suite, await newDirectory(), cleanup);
    await mkdir(path.join(debian.root, 'packages'));
    await copyFile(deb, path.join(debian.root, 'packages/subflowd.deb'));
    await copyFile(newer, path.join(debian.root, 'packages/newer.deb'));
    before = await debian.must(LIST_HOST);
  }, 900_000);

  it('is installed without Node and without a compiler, and starts nothing', async () => {
    expect((await debian.run('command -v node cc')).code).not.toBe(0);
    await debian.must('apt-get install --yes --no-install-recommends /packages/subflowd.deb');
    expect(await debian.must('subflowd --version')).toMatch(/^\d+\.\d+\.\d+$/);
    expect((await debian.run('systemctl is-active subflowd')).output).toBe('inactive');
    expect(await debian.must('getent passwd subflowd')).toContain('subflowd');
    expect((await debian.run('systemd-analyze verify --man=no subflowd.service')).output).toBe('');
  });

  it('serves under systemd, and is restarted by an upgrade, which changes no file of the admin', async () => {
    await mkdir(path.join(debian.root, 'etc/subflowd'), { recursive: true });
    await writeFile(path.join(debian.root, 'etc/subflowd/subflowd.ini'), INI);
    await debian.must('systemctl start subflowd');
    const pid = await debian.must('systemctl show --property MainPID --value subflowd');
    expect(await debian.must('subflowd status')).toContain('server server:');
    await debian.must('dpkg --install /packages/newer.deb');
    expect(await debian.must('systemctl show --property MainPID --value subflowd')).not.toBe(pid);
    expect(await debian.must('subflowd status')).toContain('server server:');
    expect(`${await debian.must('cat /etc/subflowd/subflowd.ini')}\n`).toBe(INI);
  });

  it('stops when it is removed, and keeps the config', async () => {
    // With control groups of version 1, the systemd of Debian 13 does not see that the process has ended.
    await debian.must('mkdir -p /run/systemd/system/subflowd.service.d');
    const dropIn = '/run/systemd/system/subflowd.service.d/test.conf';
    await debian.must(`printf '[Service]\\nTimeoutStopSec=3s\\n' >${dropIn} && systemctl daemon-reload`);
    await debian.must('dpkg --remove subflowd');
    expect((await debian.run('readlink /proc/[0-9]*/exe | grep /usr/lib/subflowd')).output).toBe('');
    expect(`${await debian.must('cat /etc/subflowd/subflowd.ini')}\n`).toBe(INI);
  });

  it('leaves the host as it was when it is purged', async () => {
    await debian.must('dpkg --purge subflowd');
    expect((await debian.must(LIST_HOST)).split('\n')).toEqual(before.split('\n'));
  });
});
