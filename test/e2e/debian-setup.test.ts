import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cleanup } from '../lab/cleanup.js';
import { DebianContainer, LIST_HOST } from '../lab/debian/container.js';
import { buildPackage, withHigherVersion } from '../lab/debian/package.js';
import { networkNeeds, needs } from '../lab/needs.js';
import { cleanedDirectory } from '../support/cleaned-directory.js';
import { TWO_PATHS } from '../support/two-paths.js';
import { until } from '../support/until.js';
import { VpnInContainer } from '../support/vpn-in-container.js';

const DONE = 'Initialization Sequence Completed';

/** Every file that an admin has, with its mode, owner, time and hash. Without copies of the accounts before a change. */
const LIST_FILES = `find /etc /usr/local -type f ! -name '*-' -printf '%p %m %u %g ' -exec sha256sum {} \\; ;
  find /etc/openvpn /usr/local -type f -exec stat --format='%n %Y' {} \\; ; find /etc /usr/local -type d; sysctl net.mptcp`;

let deb: string;
/** The same package with a higher version. */
let newer: string;
const cleanup = new Cleanup();

beforeAll(async () => {
  deb = await buildPackage();
  newer = await withHigherVersion(deb, await cleanedDirectory(cleanup));
}, 900_000);
afterAll(() => cleanup.run());

// One story: each test goes on where the one before ended.
describe.each(['bookworm', 'trixie'])('an admin of OpenVPN on Debian %s', { retry: 0 }, (suite) => {
  needs(...networkNeeds);
  let debian: DebianContainer;
  let vpn: VpnInContainer;
  /** Of everything, before the package. */
  let before: string;
  /** Of the files of the admin, before setup. */
  let filesBefore: string;
  let pidBefore: string;

  const pidOf = (unit: string) => debian.must(`systemctl show --property MainPID --value ${unit}`);
  const isServed = (name: string, times = 1) =>
    until(
      `${name} is served`,
      async () => (await vpn.log(name)).split(DONE).length - 1 === times,
      60_000,
      200,
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await vpn.log(name)}`);
    });
  const isRefused = (name: string) =>
    until(`${name} is refused`, async () => (await vpn.log(name)).includes('AUTH_FAILED'), 60_000, 200);

  beforeAll(async () => {
    debian = await DebianContainer.boot(suite, await cleanedDirectory(cleanup), cleanup, [
      'openvpn',
      'mptcpize',
      'iproute2',
    ]);
    await mkdir(path.join(debian.root, 'packages'));
    await copyFile(deb, path.join(debian.root, 'packages/subflowd.deb'));
    await copyFile(newer, path.join(debian.root, 'packages/newer.deb'));
    vpn = await VpnInContainer.create(debian);
    before = await debian.must(LIST_HOST);
    await vpn.start('olga', 'udp', 1194);
    await isServed('olga');
  }, 900_000);

  it('needs two commands', async () => {
    await debian.must('apt-get install --yes /packages/subflowd.deb');
    filesBefore = await debian.must(LIST_FILES);
    pidBefore = await pidOf('openvpn-server@office');
    expect(await debian.must('subflowd setup --dry-run')).toContain('+proto tcp-server');
    expect(await debian.must(LIST_FILES)).toBe(filesBefore);

    const made = await debian.must('subflowd setup --yes');
    expect(made).not.toMatch(/^(?:BAD|failed|not done)/m);
    expect(await debian.must('subflowd setup --yes')).toMatch(/^nothing to do$/m);
  });

  it('keeps their UDP clients, their monitor and their decisions about clients', async () => {
    expect(await pidOf('openvpn-server@office')).toBe(pidBefore);
    expect(await vpn.monitor(7505, 'pid')).toContain(`SUCCESS: pid=${pidBefore}`);
    expect(await vpn.monitor(7505, 'status')).toContain('olga,');
    expect(await vpn.monitor(7506, 'pid')).toContain(
      `SUCCESS: pid=${await pidOf('openvpn-server@office-tcp')}`,
    );
    await vpn.start('mallory', 'tcp', 1194);
    await vpn.start('eve', 'tcp', 1195);
    await vpn.start('bob', 'tcp', 1195);
    await vpn.start('alice', 'tcp', 1194);
    await isRefused('mallory');
    await isRefused('eve');
    await isServed('bob');
    await isServed('alice');
    expect(await vpn.log('alice')).toContain('route 203.0.113.0 255.255.255.0');
  });

  it('moves a client by a command, and has no session of a refused one', async () => {
    await debian.must(`cat >>/etc/subflowd/subflowd.ini <<'END'\n${TWO_PATHS}END`);
    await until('alice has two paths', async () => {
      const status = await debian.must('subflowd status alice');
      return /wifi\s.*\bactive\b/.test(status) && /lte\s.*\bbackup\b/.test(status);
    });
    await debian.must('subflowd primary alice lte');
    await until('alice is on lte', async () => {
      const status = await debian.must('subflowd status alice');
      return /lte\s.*\bactive\b/.test(status) && /wifi\s.*\bbackup\b/.test(status);
    });
    await until('no session of a refused client is left', async () => {
      const all = await debian.must('subflowd status');
      return all.includes('session bob') && !/mallory|eve/.test(all);
    });
    const records = await debian.must('cat /run/subflowd/events/*/*');
    expect(records).toContain('common_name=alice');
    expect(records).not.toMatch(/common_name=(?:mallory|eve)/);
  });

  it('is not undone by an upgrade, which disconnects nobody', async () => {
    const configs = await debian.must('sha256sum /etc/openvpn/server/*.conf /etc/subflowd/subflowd.ini');
    await debian.must('dpkg --install /packages/newer.deb');
    expect(await debian.must('sha256sum /etc/openvpn/server/*.conf /etc/subflowd/subflowd.ini')).toBe(
      configs,
    );
    await until('alice is still on lte', async () => {
      const { output } = await debian.run('subflowd status alice');
      return /lte\s.*\bactive\b/.test(output) && /wifi\s.*\bbackup\b/.test(output);
    });
    for (const name of ['alice', 'bob', 'olga']) await isServed(name);
  });

  it('goes back to every file byte for byte', async () => {
    const undone = await debian.must('subflowd setup --undo --yes');
    expect(undone).not.toMatch(/^failed/m);
    expect((await debian.must(LIST_FILES)).split('\n')).toEqual(filesBefore.split('\n'));
    expect(await pidOf('openvpn-server@office')).toBe(pidBefore);
    expect(await vpn.monitor(7505, 'status')).toContain('olga,');
    await isServed('bob', 2);
  });

  it('can be purged without undo, keeps changes of the admin, and leaves a working OpenVPN and nothing else', async () => {
    await debian.must('subflowd setup --yes');
    await debian.must(`sed -i 's/^verb 3$/verb 4/' /etc/openvpn/server/company.conf`);
    await isServed('bob', 3);
    const purged = await debian.must('apt-get purge --yes subflowd');
    expect(purged).toContain('/etc/openvpn/server/company.conf keeps the changes that you made after setup');
    await isServed('bob', 4);
    expect(await debian.must('cat /etc/openvpn/server/company.conf')).toContain('verb 4');
    await debian.must(`sed -i 's/^verb 4$/verb 3/' /etc/openvpn/server/company.conf`);
    expect(
      await debian.must('find /etc/openvpn /etc/systemd /usr/local -type f | xargs grep -l subflowd || :'),
    ).toBe('');
    expect(await pidOf('openvpn-server@office')).toBe(pidBefore);
    await isServed('olga');
    await vpn.remove();
    expect((await debian.must(LIST_HOST)).split('\n')).toEqual(before.split('\n'));
  });

  it('is not removed while a line that setup did not write names a file of it', async () => {
    await debian.must('apt-get install --yes /packages/subflowd.deb');
    const line = 'plugin /usr/lib/subflowd/subflowd-plugin.so';
    await debian.must(`echo '${line}' >>/etc/openvpn/server/company.conf`);
    const { code, output } = await debian.run('apt-get purge --yes subflowd');
    expect(code).not.toBe(0);
    expect(output).toMatch(/company\.conf:\d+:plugin/);
    await debian.must(`sed -i '$d' /etc/openvpn/server/company.conf && apt-get purge --yes subflowd`);
  });
});
