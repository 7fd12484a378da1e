import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkHooks,
  MAX_CONFIG_BYTES,
  parseHookOptions,
  readHookOptions,
  type HookOptions,
} from '../../../src/doctor/hooks.js';
import type { ServerStatus } from '../../../src/openvpn/server-status.js';
import { until } from '../../support/until.js';

const FILE = '/etc/openvpn/server/office.conf';
/** Larger than PID_MAX_LIMIT, so no process has this PID. */
const NO_PID = 4_194_305;

/** Checks a server. @param options what its config says about hooks; undefined: the config cannot be read. */
async function check(status: Partial<ServerStatus>, options?: Partial<HookOptions>) {
  const server: ServerStatus = { name: 'office', management: 'connected', recorded: 0, pids: [7], ...status };
  return checkHooks(server, () => Promise.resolve(options && { file: FILE, connects: false, ...options }));
}

describe('checkHooks', () => {
  it('reports nothing if hooks recorded all sessions, are not used, or management is not connected', async () => {
    expect(await check({ recorded: 3 }, { connects: true })).toEqual([]);
    expect(await check({ unrecorded: 3 }, {})).toEqual([]);
    expect(await check({ unrecorded: 3 })).toEqual([]);
    expect(await check({ unrecorded: 3, management: 'unreachable' }, { connects: true })).toEqual([]);
  });

  it('reports sessions that no hook recorded although the config has hooks', async () => {
    expect(await check({ unrecorded: 3 }, { connects: true, chroot: '/srv/jail' })).toEqual([
      {
        name: 'server office',
        verdict: 'note',
        found: `the hooks have not recorded 3 of its sessions, although ${FILE} has client-connect`,
        remedy: expect.stringMatching(/chroot \/srv\/jail: this directory must contain \/bin\/sh/) as string,
      },
    ]);
  });

  it('reports them if hooks recorded others, even if the config cannot be read', async () => {
    const [found] = await check({ unrecorded: 1, recorded: 2 });
    expect(found).toMatchObject({
      found: 'the hooks have not recorded 1 of its sessions, but they have recorded 2 others',
      remedy: expect.stringContaining('script-security 2') as string,
    });
  });
});

describe('checkHooks of a server with the plugin', () => {
  const plugin = '/usr/lib/subflowd/subflowd-plugin.so';

  it('reports that the plugin reports the sessions', async () => {
    expect(await check({ recorded: 3, management: 'absent' }, { plugin, isPluginLoaded: true })).toEqual([
      { name: 'server office', verdict: 'ok', found: `the plugin ${plugin} reports its sessions` },
    ]);
  });

  it('reports that OpenVPN has to be restarted, and sessions that the plugin has not recorded', async () => {
    const found = await check({ unrecorded: 2 }, { plugin, isPluginLoaded: false });
    expect(found.map(({ found }) => found)).toEqual([
      `its config has the plugin ${plugin}, but the process has not loaded it`,
      `the plugin has not recorded 2 of its sessions, although ${FILE} has it`,
    ]);
    const [, some] = await check({ unrecorded: 1, recorded: 2 }, { plugin, isPluginLoaded: true });
    expect(some).toMatchObject({ found: expect.stringContaining('but it has recorded 2 others') as string });
  });

  it('notes that the script is there too, but not a script of the admin', async () => {
    const [both] = await check({}, { plugin, connects: true, isScriptOurs: true });
    expect(both).toMatchObject({
      verdict: 'note',
      remedy: expect.stringMatching(/^remove client-connect/) as string,
    });
    expect(await check({}, { plugin, connects: true })).toMatchObject([{ verdict: 'ok' }]);
  });
});

describe('parseHookOptions', () => {
  it('finds the plugin with and without its argument, once or twice, and no other plugin', () => {
    const line = 'plugin /usr/lib/subflowd/subflowd-plugin.so';
    const other = 'plugin /usr/lib/openvpn/auth-pam.so login';
    for (const text of [
      line,
      `${line} /events`,
      `${line}\n${line}`,
      `${line}\n${other}`,
      `plugin "/usr/lib/subflowd/subflowd-plugin.so" "/a b"`,
    ])
      expect(parseHookOptions(text)).toEqual({
        connects: false,
        plugin: '/usr/lib/subflowd/subflowd-plugin.so',
      });
    expect(parseHookOptions(other)).toEqual({ connects: false });
    expect(parseHookOptions('client-connect /usr/local/lib/subflowd/client-connect')).toEqual({
      connects: true,
      isScriptOurs: true,
    });
  });

  it('finds the options, and ignores comments and other options', () => {
    expect(parseHookOptions('client-connect "/a b/hook"\n  chroot /jail\n')).toEqual({
      connects: true,
      chroot: '/jail',
    });
    expect(parseHookOptions('#client-connect x\n;chroot /x\nchroot-x y\nclient-connect\n')).toEqual({
      connects: false,
    });
  });
});

describe('readHookOptions', () => {
  it('returns nothing for a process without a config, and for one that does not exist', async () => {
    expect(await readHookOptions(process.pid)).toBeUndefined();
    expect(await readHookOptions(NO_PID)).toBeUndefined();
  });

  it('reads a config of 256 KiB, and not a larger one', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'subflowd-hooks-'));
    const file = join(directory, 'large.conf');
    writeFileSync(file, `client-connect /hook\n${'#'.repeat(MAX_CONFIG_BYTES - 22)}\n`);
    // a process with a config on its command line, as OpenVPN has
    const server = spawn('sh', ['-c', 'read line', 'sh', '--config', file], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    try {
      const pid = server.pid ?? 0;
      await until('it runs', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(file));
      expect(await readHookOptions(pid)).toEqual({ file, connects: true });
      appendFileSync(file, '#');
      expect(await readHookOptions(pid)).toBeUndefined();
    } finally {
      server.stdin.end();
      await once(server, 'exit');
      rmSync(directory, { recursive: true });
    }
  });
});
