import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cleanup } from '../lab/cleanup.js';
import { DebianContainer, LIST_HOST } from '../lab/debian/container.js';
import { buildPackage, repack, withHigherVersion } from '../lab/debian/package.js';
import { cleanedDirectory } from '../support/cleaned-directory.js';
import { needs } from '../lab/needs.js';

const INI = `[openvpn server]
events = /run/subflowd/events
[path wifi]
prefix = 192.168.100.0/24
[default]
primary = wifi
`;

/** The unit of the versions without a helper. `--single` stands for their one process. */
const OLDER_UNIT = `[Service]
Type=notify
NotifyAccess=all
ExecStartPre=+systemd-tmpfiles --create subflowd.conf
ExecStart=subflowd run --single
User=subflowd
SupplementaryGroups=subflowd-hooks
StateDirectory=subflowd
AmbientCapabilities=CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH
CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=-/run/subflowd
[Install]
WantedBy=multi-user.target
`;
const NO_RIGHTS = '0000000000000000';
/** NET_ADMIN and SYS_PTRACE. */
const HELPER_RIGHTS = '0000000000081000';
const OLDER_DROP_IN = `[Service]
AmbientCapabilities=CAP_SYS_ADMIN
CapabilityBoundingSet=CAP_SYS_ADMIN
RestrictNamespaces=net
`;

let deb: string;
/** The same package with a higher version. */
let newer: string;
/** The same package as it was before there was a helper. */
let older: string;
const cleanup = new Cleanup();

beforeAll(async () => {
  deb = await buildPackage();
  newer = await withHigherVersion(deb, await cleanedDirectory(cleanup));
  older = await repack(deb, path.join(await cleanedDirectory(cleanup), 'older'), async (root) => {
    await execa('sed', ['-i', 's/^Version: .*/Version: 0.0.9/', path.join(root, 'DEBIAN/control')]);
    await execa('sed', ['-i', '/subflowd-helper/d', path.join(root, 'usr/lib/sysusers.d/subflowd.conf')]);
    await execa('find', [root, '-type', 'f', '-name', 'subflowd-helper.*', '-delete']);
    const { stdout: unit } = await execa('find', [root, '-name', 'subflowd.service']);
    await writeFile(unit, OLDER_UNIT);
  });
}, 900_000);
afterAll(() => cleanup.run());

describe.each(['bookworm', 'trixie'])('the package on a bare Debian %s', (suite) => {
  needs('root');
  let debian: DebianContainer;
  let before: string;

  /** The effective capabilities of a unit's process, as in /proc/PID/status. */
  const rightsOf = async (unit: string) =>
    debian.must(
      `sed -n 's/^CapEff:[[:space:]]*//p' /proc/$(systemctl show --property MainPID --value ${unit})/status`,
    );

  beforeAll(async () => {
    debian = await DebianContainer.boot(suite, await cleanedDirectory(cleanup), cleanup);
    await mkdir(path.join(debian.root, 'packages'));
    await copyFile(deb, path.join(debian.root, 'packages/subflowd.deb'));
    await copyFile(newer, path.join(debian.root, 'packages/newer.deb'));
    await copyFile(older, path.join(debian.root, 'packages/older.deb'));
    before = await debian.must(LIST_HOST);
  }, 900_000);

  it('is installed without Node and without a compiler, and starts nothing', async () => {
    expect((await debian.run('command -v node cc')).code).not.toBe(0);
    await debian.must('apt-get install --yes --no-install-recommends /packages/subflowd.deb');
    expect(await debian.must('subflowd --version')).toMatch(/^\d+\.\d+\.\d+$/);
    const completed =
      '. /usr/share/bash-completion/completions/subflowd; COMP_WORDS=(subflowd st) COMP_CWORD=1; _subflowd';
    expect(await debian.must(`bash -c '${completed}; echo "\${COMPREPLY[*]}"'`)).toBe('status');
    for (const unit of ['subflowd.service', 'subflowd-helper.service', 'subflowd-helper.socket'])
      expect((await debian.run(`systemctl is-active ${unit}`)).output).toBe('inactive');
    expect(await debian.must('getent passwd subflowd subflowd-helper')).toContain('subflowd-helper');
    const verify =
      'systemd-analyze verify --man=no subflowd.service subflowd-helper.service subflowd-helper.socket';
    expect((await debian.run(verify)).output).toBe('');
  });

  it('serves under systemd, and is restarted by an upgrade, which changes no file of the admin', async () => {
    // With control groups of version 1, the systemd of Debian 13 does not see that the process has ended.
    for (const unit of ['subflowd', 'subflowd-helper']) {
      const dropIns = `/run/systemd/system/${unit}.service.d`;
      await debian.must(
        `mkdir -p ${dropIns}; printf '[Service]\\nTimeoutStopSec=3s\\n' >${dropIns}/test.conf`,
      );
    }
    await debian.must('systemctl daemon-reload');
    await mkdir(path.join(debian.root, 'etc/subflowd'), { recursive: true });
    await writeFile(path.join(debian.root, 'etc/subflowd/subflowd.ini'), INI);
    await debian.must('systemctl start subflowd');
    const pids = 'systemctl show --property MainPID --value subflowd subflowd-helper';
    const [daemon, , helper] = (await debian.must(pids)).split('\n');
    expect(await debian.must('subflowd status')).toContain('server server:');
    expect([await rightsOf('subflowd'), await rightsOf('subflowd-helper')]).toEqual([
      NO_RIGHTS,
      HELPER_RIGHTS,
    ]);
    const [entry = ''] = (await debian.must('journalctl --output=json SUBFLOWD_EVENT=ready')).split('\n');
    expect(JSON.parse(entry)).toMatchObject({
      MESSAGE: expect.stringMatching(/^subflowd \S+ serves server through /) as string,
      PRIORITY: '6',
      SYSLOG_IDENTIFIER: 'subflowd',
      _SYSTEMD_UNIT: 'subflowd.service',
      _PID: daemon,
    });
    await debian.must('dpkg --install /packages/newer.deb');
    const [daemonAfter, , helperAfter] = (await debian.must(pids)).split('\n');
    expect(daemonAfter).not.toBe(daemon);
    expect(helperAfter).not.toBe(helper);
    expect(await debian.must('subflowd status')).toContain('server server:');
    expect(`${await debian.must('cat /etc/subflowd/subflowd.ini')}\n`).toBe(INI);
  });

  it('is upgraded from a version without a helper, and says what to do with a drop-in of the admin', async () => {
    const dropIns = '/etc/systemd/system/subflowd.service.d';
    await debian.must('systemctl stop subflowd subflowd-helper.socket subflowd-helper.service');
    await debian.must('dpkg --install --force-downgrade /packages/older.deb; userdel subflowd-helper');
    await debian.must(
      `mkdir -p ${dropIns}; printf '${OLDER_DROP_IN}' >${dropIns}/office.conf; systemctl daemon-reload`,
    );
    await debian.must('systemctl start subflowd');
    expect((await debian.run('systemctl cat subflowd-helper')).code).not.toBe(0);
    expect(await debian.must('subflowd status')).toContain('server server:');

    await debian.must('dpkg --install /packages/subflowd.deb');
    expect(await debian.must('systemctl is-active subflowd subflowd-helper')).toBe('active\nactive');
    expect(await debian.must('subflowd status')).toContain('server server:');
    const log = await debian.must('journalctl --sync; journalctl --unit subflowd --output cat --no-pager');
    const [, command = ''] =
      /that only its helper needs; to fix it: (.*) \(docs\/privileges\.md/.exec(log) ?? [];
    expect(command).toContain(`mv ${dropIns}/office.conf /etc/systemd/system/subflowd-helper.service.d`);
    await debian.must(command);
    expect(await debian.must('subflowd status')).toContain('server server:');
    // SYS_ADMIN in addition
    expect([await rightsOf('subflowd'), await rightsOf('subflowd-helper')]).toEqual([
      NO_RIGHTS,
      '0000000000281000',
    ]);
    await debian.must(
      `rm -r ${dropIns} /etc/systemd/system/subflowd-helper.service.d; systemctl daemon-reload`,
    );
    await debian.must('systemctl restart subflowd-helper subflowd');
  });

  it('stops when it is removed, and keeps the config', async () => {
    await debian.must('dpkg --remove subflowd');
    expect((await debian.run('readlink /proc/[0-9]*/exe | grep /usr/lib/subflowd')).output).toBe('');
    expect(`${await debian.must('cat /etc/subflowd/subflowd.ini')}\n`).toBe(INI);
  });

  it('leaves the host as it was when it is purged', async () => {
    await debian.must('dpkg --purge subflowd');
    expect((await debian.must(LIST_HOST)).split('\n')).toEqual(before.split('\n'));
  });
});
