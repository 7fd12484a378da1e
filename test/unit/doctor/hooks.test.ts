import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkHooks,
  MOST_BYTES,
  parseHookLines,
  readHookLines,
  type HookLines,
} from '../../../src/doctor/hooks.js';
import type { ServerStatus } from '../../../src/openvpn/server-status.js';
import { until } from '../../support/until.js';

const FILE = '/etc/openvpn/server/office.conf';

async function check(status: Partial<ServerStatus>, lines?: Partial<HookLines>) {
  const server: ServerStatus = { name: 'office', management: 'connected', recorded: 0, pids: [7], ...status };
  return checkHooks(server, () => Promise.resolve(lines && { file: FILE, connects: false, ...lines }));
}

describe('checkHooks', () => {
  it('has nothing to say where hooks tell of everybody, are not used, or nobody can compare', async () => {
    expect(await check({ recorded: 3 }, { connects: true })).toEqual([]);
    expect(await check({ unrecorded: 3 }, {})).toEqual([]);
    expect(await check({ unrecorded: 3 })).toEqual([]);
    expect(await check({ unrecorded: 3, management: 'unreachable' }, { connects: true })).toEqual([]);
  });

  it('names sessions that no hook recorded, though the config has hooks', async () => {
    expect(await check({ unrecorded: 3 }, { connects: true, chroot: '/srv/jail' })).toEqual([
      {
        name: 'server office',
        verdict: 'note',
        found: `the hooks have not recorded 3 of its sessions, though client-connect is in ${FILE}`,
        remedy: expect.stringMatching(/chroot \/srv\/jail: the hooks need \/bin\/sh/) as string,
      },
    ]);
  });

  it('names them where hooks recorded others, whatever can be read of the config', async () => {
    const [found] = await check({ unrecorded: 1, recorded: 2 });
    expect(found).toMatchObject({
      found: 'the hooks have not recorded 1 of its sessions, though they recorded 2',
      remedy: expect.stringContaining('script-security 2') as string,
    });
  });
});

describe('parseHookLines', () => {
  it('finds the options, and not what is a comment or another', () => {
    expect(parseHookLines('client-connect "/a b/hook"\n  chroot /jail\n')).toEqual({
      connects: true,
      chroot: '/jail',
    });
    expect(parseHookLines('#client-connect x\n;chroot /x\nchroot-x y\nclient-connect\n')).toEqual({
      connects: false,
    });
  });

  it('is not asked of a process without a config', async () => {
    expect(await readHookLines(process.pid)).toBeUndefined();
    expect(await readHookLines(4_194_305)).toBeUndefined();
  });
});

describe('readHookLines', () => {
  it('reads a config of 256 KiB, and none that is larger', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'subflowd-hooks-'));
    const file = join(directory, 'large.conf');
    writeFileSync(file, `client-connect /hook\n${'#'.repeat(MOST_BYTES - 22)}\n`);
    // a process that was started with a config, as OpenVPN is
    const server = spawn('sh', ['-c', 'read line', 'sh', '--config', file], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    try {
      const pid = server.pid ?? 0;
      await until('it runs', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(file));
      expect(await readHookLines(pid)).toEqual({ file, connects: true });
      appendFileSync(file, '#');
      expect(await readHookLines(pid)).toBeUndefined();
    } finally {
      server.stdin.end();
      await once(server, 'exit');
      rmSync(directory, { recursive: true });
    }
  });
});
