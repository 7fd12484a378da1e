import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseRecord } from '../../../src/openvpn/records/record.js';
import { lacking } from '../../lab/needs.js';
import { CLIENT_VARIABLES, RECORD_NAME } from '../../support/client-connect.js';
import { compileWithPlugin, PluginDriver } from '../../support/plugin/driver.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const NOBODY = 65534;
/** Stands for group subflowd-hooks. */
const GROUP = 54_322;

let program: string;
let events: string;
let own: string;
let plugin: PluginDriver;

let programs: string;
beforeAll(async () => {
  programs = mkdtempSync(join(tmpdir(), 'subflowd-plugin-'));
  program = await compileWithPlugin('driver', programs);
});
afterAll(() => {
  rmSync(programs, { recursive: true });
});

beforeEach(async () => {
  events = temporaryDirectory();
  chmodSync(events, 0o755);
  own = join(events, process.getuid?.() === 0 ? 'root' : 'own');
  mkdirSync(own, { mode: 0o700 });
  plugin = await openPlugin();
});

afterEach(async () => {
  expect(await plugin.end(), plugin.errors).toBe(0);
  expect(plugin.errors).not.toMatch(/Sanitizer|runtime error/);
});

async function openPlugin(
  wrapper: readonly string[] = [],
  ...args: readonly string[]
): Promise<PluginDriver> {
  const opened = new PluginDriver([...wrapper, program], args.length > 0 ? args : [events]);
  await opened.open();
  return opened;
}

async function restart(wrapper: readonly string[] = [], ...args: readonly string[]): Promise<void> {
  await plugin.end();
  plugin = await openPlugin(wrapper, ...args);
}

describe('the plugin', () => {
  it('records a session when OpenVPN learns its address, and removes the record when it disconnects', async () => {
    await plugin.learn(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([RECORD_NAME]);
    expect(statSync(join(own, RECORD_NAME)).mode & 0o777).toBe(0o640);
    expect(parseRecord(readFileSync(join(own, RECORD_NAME)))).toMatchObject({
      record: { pid: 4242, commonName: 'alice', virtual: ['10.8.0.2'], since: 1700000000, protocol: 'tcp' },
    });
    await plugin.learn(CLIENT_VARIABLES, 'delete');
    expect(readdirSync(own)).toEqual([RECORD_NAME]);
    await plugin.disconnect(CLIENT_VARIABLES);
    await plugin.disconnect(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)(
    'lets the group of the directory read a record, whatever the umask of OpenVPN',
    async () => {
      chownSync(own, 0, GROUP);
      chmodSync(own, 0o2770);
      await restart(['/bin/sh', '-c', 'umask 077; exec "$@"', 'sh']);
      await plugin.learn(CLIENT_VARIABLES);
      const { gid, mode } = statSync(join(own, RECORD_NAME));
      expect([gid, mode & 0o7777]).toEqual([GROUP, 0o640]);
    },
  );

  it('leaves a record as it is while a client announces further addresses', async () => {
    await plugin.learn(CLIENT_VARIABLES);
    const { ino } = statSync(join(own, RECORD_NAME));
    await plugin.learn(CLIENT_VARIABLES);
    await plugin.learn(CLIENT_VARIABLES, 'update');
    expect(statSync(join(own, RECORD_NAME)).ino).toBe(ino);
    await plugin.learn({ ...CLIENT_VARIABLES, common_name: 'bob' });
    expect(statSync(join(own, RECORD_NAME)).ino).not.toBe(ino);
    expect(parseRecord(readFileSync(join(own, RECORD_NAME)))).toMatchObject({
      record: { commonName: 'bob' },
    });
  });

  it('takes the events directory from its argument, from SUBFLOWD_EVENTS, or from the default', async () => {
    await plugin.end();
    plugin = new PluginDriver([program], []);
    await plugin.open({ SUBFLOWD_EVENTS: events });
    await plugin.learn(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([RECORD_NAME]);
  });

  it('writes nothing at a limit on file size, and nothing that is longer than a record', async () => {
    await plugin.learn({ ...CLIENT_VARIABLES, common_name: 'x'.repeat(8_000) });
    expect(readdirSync(own)).toEqual([]);
    await restart(['/usr/bin/prlimit', '--fsize=10']);
    await plugin.learn(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([]);
  });

  it('overwrites neither a FIFO, a link nor a directory, and replaces a file that an OpenVPN left', async () => {
    const target = join(events, 'target');
    writeFileSync(target, 'precious');
    const path = join(own, RECORD_NAME);
    const plants = [
      ['mkfifo', path],
      ['ln', '-s', target, path],
      ['ln', '-s', join(events, 'new'), path],
      ['mkdir', path],
    ];
    for (const [command = '', ...args] of plants) {
      await execa(command, args);
      const { ino } = lstatSync(path);
      await plugin.learn(CLIENT_VARIABLES);
      await plugin.disconnect(CLIENT_VARIABLES);
      expect(lstatSync(path).ino).toBe(ino);
      rmSync(path, { recursive: true });
    }
    expect(readFileSync(target, 'utf8')).toBe('precious');
    expect(readdirSync(events).sort()).toEqual(
      [own, target].map((each) => each.slice(events.length + 1)).sort(),
    );
    symlinkSync(target, join(own, `.${RECORD_NAME}`));
    await plugin.learn(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([RECORD_NAME]);
    expect(lstatSync(path).isFile()).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });

  it('finds the events directory again if it was missing or replaced, and answers success meanwhile', async () => {
    rmSync(events, { recursive: true });
    await plugin.learn(CLIENT_VARIABLES);
    mkdirSync(own, { recursive: true, mode: 0o700 });
    await plugin.learn(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([RECORD_NAME]);
    await restart([], join(events, 'missing'));
    expect(plugin.errors).toContain('no session is recorded until %s can be opened');
    await plugin.learn(CLIENT_VARIABLES);
    mkdirSync(join(events, 'missing/own'), { recursive: true, mode: 0o700 });
    await plugin.learn(CLIENT_VARIABLES);
    expect(readdirSync(join(events, 'missing/own'))).toEqual([RECORD_NAME]);
  });

  it('reads at most 32,768 entries to find a record under another name', async () => {
    const moved = `${RECORD_NAME.slice(0, RECORD_NAME.lastIndexOf('-'))}-10.9.9.9`;
    await plugin.learn({ ...CLIENT_VARIABLES, ifconfig_pool_remote_ip: '10.9.9.9' });
    await plugin.disconnect(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([]);
    for (let count = 0; count < 33_000; count++) writeFileSync(join(own, `file-${count}`), '');
    writeFileSync(join(own, moved), '');
    await plugin.disconnect(CLIENT_VARIABLES);
    await plugin.learn(CLIENT_VARIABLES);
    expect(existsSync(join(own, RECORD_NAME))).toBe(true);
    await plugin.disconnect(CLIENT_VARIABLES);
    expect(existsSync(join(own, RECORD_NAME))).toBe(false);
  });

  it('answers success however often it is opened, and after it was closed', async () => {
    for (let count = 0; count < 20; count++) await plugin.open();
    await plugin.learn(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([]);
    await plugin.change('close');
    await restart();
    for (let count = 0; count < 20; count++) {
      await plugin.change('close');
      await plugin.learn(CLIENT_VARIABLES);
      expect(readdirSync(own)).toEqual([]);
      await plugin.open();
    }
    await plugin.learn(CLIENT_VARIABLES);
    expect(readdirSync(own)).toEqual([RECORD_NAME]);
  });
});

describe.skipIf(lacking('root') !== undefined)(
  'the plugin in a server that has dropped its privileges',
  () => {
    it('writes to the directory of its new user from an empty chroot, without a process of its own', async () => {
      const nobody = join(events, 'nobody');
      mkdirSync(nobody, { mode: 0o700 });
      chownSync(nobody, NOBODY, NOBODY);
      const root = temporaryDirectory();
      await restart(['/usr/bin/prlimit', '--nproc=0']);
      await plugin.change('root', root);
      await plugin.change('user', String(NOBODY));
      await plugin.learn(CLIENT_VARIABLES);
      expect(readdirSync(nobody)).toEqual([RECORD_NAME]);
      expect(statSync(join(nobody, RECORD_NAME)).uid).toBe(NOBODY);
      expect(readdirSync(own)).toEqual([]);
      await plugin.disconnect(CLIENT_VARIABLES);
      expect(readdirSync(nobody)).toEqual([]);
      expect(readdirSync(root)).toEqual([]);
    });

    it('leaves nothing on a full disk', async () => {
      await execa('mount', ['-t', 'tmpfs', '-o', 'size=8k,mode=755', 'tmpfs', events]);
      try {
        mkdirSync(own, { mode: 0o700 });
        await execa('dd', ['if=/dev/zero', `of=${join(events, 'filler')}`, 'bs=4k'], { reject: false });
        await restart();
        await plugin.learn(CLIENT_VARIABLES);
        expect(readdirSync(own)).toEqual([]);
      } finally {
        await plugin.change('close');
        await execa('umount', ['--lazy', events]);
      }
    });
  },
);

it('the plugin calls only these functions of the C library: none allocates memory, waits or starts a process', async () => {
  const { stdout } = await execa('nm', [
    ...['--dynamic', '--undefined-only', '--without-symbol-versions'],
    join(import.meta.dirname, '../../../build/Release/subflowd-plugin.so'),
  ]);
  const called = stdout.split('\n').flatMap((line) => /^ +U (\w+)/.exec(line)?.[1] ?? []);
  expect(called.map((name) => name.replace(/64$/, '')).sort()).toEqual(
    [
      ...['__errno_location', '__stack_chk_fail'],
      ...[
        'close',
        'fchmod',
        'fstat',
        'fstatat',
        'geteuid',
        'getrlimit',
        'lseek',
        'openat',
        'read',
        'renameat',
        'syscall',
      ],
      ...['unlinkat', 'write'],
      ...[
        'memcmp',
        'memcpy',
        'strchr',
        'strcmp',
        'strerror',
        'strlen',
        'strncmp',
        'strncpy',
        'strspn',
        'strstr',
      ],
      ...['snprintf', 'vsnprintf'],
    ].sort(),
  );
});
