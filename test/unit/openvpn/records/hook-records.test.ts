import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensureEventsDirectory } from '../../../../src/openvpn/records/events-directory.js';
import { userOrNumber } from '../../../../src/util/accounts.js';
import { HookRecords, type HookRecordsOptions } from '../../../../src/openvpn/records/hook-records.js';
import { probeProcess, type ProcessFacts } from '../../../../src/openvpn/records/process.js';
import { until } from '../../../support/until.js';

// not timed: each wait has its own bound
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const NOBODY = 65534;
const OURS = process.pid;

let parent: string;
let directory: string;
let events: HookRecords | undefined;
let problems: string[];
let openvpns: Map<number, ProcessFacts>;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'subflowd-events-'));
  directory = join(parent, 'events');
  problems = [];
  openvpns = new Map([[100, { is: 'openvpn', euid: 0 }]]);
});

afterEach(() => {
  events?.stop();
  rmSync(parent, { recursive: true, force: true });
});

async function start(options: HookRecordsOptions = {}): Promise<HookRecords> {
  const made = new HookRecords(directory, {
    probe: (pid) => openvpns.get(pid) ?? { is: 'gone' },
    rescanMs: 60_000,
    ...options,
  });
  events = made.on('problem', (text) => problems.push(text));
  made.start();
  await until('the directories are made', () => problems.length > 0 || existsSync(join(directory, 'nobody')));
  return made;
}

function names(): string[] {
  return (events?.records() ?? []).map(({ record }) => record.commonName).sort();
}

function content(name: string, commonName: string): string {
  const [, pid, ip, port] = /^(\d+)-(.+)-(\d+)$/.exec(name) ?? [];
  return `subflowd-event=1\0daemon_pid=${pid}\0trusted_ip=${ip}\0trusted_port=${port}\0common_name=${commonName}\0end\0`;
}

function write(name: string, commonName: string, user = 'root'): string {
  const path = join(directory, user, name);
  writeFileSync(path, content(name, commonName));
  return path;
}

describe('the records of hooks', () => {
  it('makes the directories, finds the records that exist, and notices new, changed and removed ones', async () => {
    ensureEventsDirectory(directory);
    write('100-192.0.2.1-1', 'before');
    const watching = await start();
    expect(statSync(directory).mode & 0o7777).toBe(0o755);
    expect(statSync(join(directory, 'nobody'))).toMatchObject({ uid: NOBODY, mode: 0o40700 });
    await until('the first', () => names().join() === 'before');
    const heard: string[] = [];
    watching
      .on('added', ({ record }) => heard.push(`+${record.commonName}`))
      .on('removed', ({ record }) => heard.push(`-${record.commonName}`));
    const path = write('100-2001:db8::1-2', 'after');
    await until('the second', () => names().join() === 'after,before');
    writeFileSync(path, content('100-2001:db8::1-2', 'another'));
    await until('its new content', () => names().join() === 'another,before');
    rmSync(path);
    await until('it is gone', () => names().join() === 'before');
    expect(heard).toEqual(['+after', '-after', '+another', '-another']);
    expect(problems).toEqual([]);
  });

  it('removes the records of processes that have ended', async () => {
    ensureEventsDirectory(directory);
    const stale = write('999-192.0.2.1-1', 'stale');
    const living = write('100-192.0.2.1-1', 'living');
    await start({ rescanMs: 50 });
    await until('the stale one is gone', () => !existsSync(stale));
    expect(names()).toEqual(['living']);
    openvpns.delete(100);
    await until('the other is gone, too', () => !existsSync(living));
    expect(names()).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('reports whether it removed a record, or the record was already removed', async () => {
    const made = await start();
    const paths = [write('100-192.0.2.1-1', 'alice'), write('100-192.0.2.2-1', 'bob')];
    await until('both are known', () => names().length === 2);
    const [alice, bob] = paths.map((path) => made.records().find((known) => known.path === path));
    if (!alice || !bob) throw new Error('both are known');
    // as client-disconnect does; its event arrives after this turn
    rmSync(alice.path);
    expect([made.discard(alice), made.discard(bob)]).toEqual([false, true]);
    expect([names(), existsSync(bob.path), problems]).toEqual([[], false, []]);
  });

  it('notices that a directory is deleted and made again', async () => {
    await start();
    write('100-192.0.2.1-1', 'first');
    await until('the first', () => names().join() === 'first');
    rmSync(directory, { recursive: true });
    await until('it is forgotten', () => names().length === 0);
    await until('it is made again', () => existsSync(join(directory, 'root')));
    // the new directory is watched soon, but no event shows when
    await sleep(100);
    write('100-192.0.2.1-2', 'second');
    await until('the second', () => names().join() === 'second');
    // replaced by another
    const other = join(parent, 'other');
    ensureEventsDirectory(other);
    writeFileSync(join(other, 'root', '100-192.0.2.1-3'), content('100-192.0.2.1-3', 'third'));
    renameSync(directory, join(parent, 'old'));
    renameSync(other, directory);
    await until('the third', () => names().join() === 'third');
  });

  it('makes a directory for a user that is added later', async () => {
    const watching = await start();
    watching.addUser(12_345);
    await until('it is there', () => existsSync(join(directory, '12345')));
    expect(statSync(join(directory, '12345'))).toMatchObject({ uid: 12_345, mode: 0o40700 });
    openvpns.set(101, { is: 'openvpn', euid: 12_345 });
    // the new directory is watched soon, but no event shows when
    await sleep(50);
    chownSync(write('101-192.0.2.1-1', 'theirs', '12345'), 12_345, 12_345);
    await until('theirs', () => names().join() === 'theirs');
  });

  it.each<[string, string, (path: string) => unknown, RegExp]>([
    [
      'garbage',
      '100-192.0.2.1-1',
      (path) => {
        writeFileSync(path, randomBytes(300));
      },
      /does not begin with/,
    ],
    [
      'a strange name',
      'core.1234',
      (path) => {
        writeFileSync(path, '');
      },
      /no hook gives such a name/,
    ],
    [
      'a name with a line end',
      'a\nb',
      (path) => {
        writeFileSync(path, '');
      },
      /a\\nb.*no hook gives such a name/,
    ],
    ['a FIFO', '100-192.0.2.1-1', (path) => execa('mkfifo', [path]), /not a regular file/],
    [
      'a link',
      '100-192.0.2.1-1',
      (path) => {
        symlinkSync('/etc/shadow', path);
      },
      /not a regular file/,
    ],
    [
      'a directory',
      '100-192.0.2.1-1',
      (path) => {
        mkdirSync(path);
      },
      /not a regular file/,
    ],
    ['a device', '100-192.0.2.1-1', (path) => execa('mknod', [path, 'c', '1', '5']), /not a regular file/],
    [
      'a huge file',
      '100-192.0.2.1-1',
      (path) => {
        writeFileSync(path, '');
        truncateSync(path, 1e12);
      },
      /longer than 8192 bytes/,
    ],
    [
      'a foreign PID',
      `${OURS}-192.0.2.1-1`,
      (path) => {
        writeFileSync(path, content(`${OURS}-192.0.2.1-1`, 'x'));
      },
      /process \d+ is \/.*node.*, not OpenVPN/,
    ],
    [
      'another PID than its name',
      '100-192.0.2.1-1',
      (path) => {
        writeFileSync(path, content('101-192.0.2.1-1', 'x'));
      },
      /contains process 101 .* but its name has others/,
    ],
    [
      'another port than its name',
      '100-192.0.2.1-1',
      (path) => {
        writeFileSync(path, content('100-192.0.2.1-2', 'x'));
      },
      /192\.0\.2\.1:2, but its name has others/,
    ],
    [
      "another user's file",
      '100-192.0.2.1-1',
      (path) => {
        writeFileSync(path, content('100-192.0.2.1-1', 'x'));
        chownSync(path, NOBODY, NOBODY);
      },
      /belongs to user 65534, but process 100 runs as user 0/,
    ],
  ])(
    'reports once what is wrong with %s, and reads the other records',
    async (_what, name, plant, problem) => {
      ensureEventsDirectory(directory);
      const path = join(directory, 'root', name);
      openvpns.set(OURS, probeProcess(OURS));
      await plant(path);
      await start({ rescanMs: 50 });
      await until('a problem', () => problems.length > 0);
      write('100-192.0.2.9-9', 'good');
      await until('the good one', () => names().join() === 'good');
      // several more scans, which no event shows: none reports it again
      await sleep(200);
      expect(problems).toEqual([expect.stringMatching(problem)]);
      expect(problems[0]).toContain(JSON.stringify(path));
    },
  );

  it('waits for the end of an unfinished record, then reports it', async () => {
    await start({ rescanMs: 200 });
    const name = '100-192.0.2.1-1';
    const path = join(directory, 'root', name);
    const whole = content(name, 'slow');
    writeFileSync(path, whole.slice(0, 30));
    // longer than a scan: no event shows that it reports nothing
    await sleep(300);
    expect(problems).toEqual([]);
    writeFileSync(path, whole.slice(30), { flag: 'a' });
    await until('it is whole', () => names().join() === 'slow');
    writeFileSync(join(directory, 'root', '100-192.0.2.1-2'), whole.slice(0, 30));
    await until('a problem', () => problems.length > 0);
    expect(problems).toEqual([expect.stringMatching(/192\.0\.2\.1-2.*its end is missing/)]);
    expect(names()).toEqual(['slow']);
  });

  it('reads the records among 10,000 other files', async () => {
    ensureEventsDirectory(directory);
    for (let index = 0; index < 10_000; index++) writeFileSync(join(directory, 'root', `junk${index}`), 'x');
    write('100-192.0.2.1-1', 'good');
    await start({ rescanMs: 100 });
    await until('the good one', () => names().join() === 'good');
    await until('a summary', () => problems.some((text) => text.includes('more files')));
    write('100-192.0.2.1-2', 'later');
    await until('one more', () => names().join() === 'good,later');
    // several more scans, which no event shows: none reports more
    await sleep(500);
    expect(problems).toHaveLength(11);
    expect(problems.at(-1)).toMatch(/^9990 more files in .* are not records/);
  });

  it('does not trust a directory that others can write to, and reports how to fix it', async () => {
    ensureEventsDirectory(directory);
    chmodSync(directory, 0o777);
    await start({ rescanMs: 50 });
    await until('a problem', () => problems.length > 0);
    expect(problems[0]).toContain(`chown root:root ${directory} && chmod 0755 ${directory}`);
    write('100-192.0.2.1-1', 'good');
    // several scans, which no event shows: none reads it
    await sleep(150);
    expect(names()).toEqual([]);
    chmodSync(directory, 0o755);
    await until('it is read', () => names().join() === 'good');
    chmodSync(join(directory, 'root'), 0o770);
    await until('it is not', () => names().length === 0);
    expect(problems).toHaveLength(2);
    expect(problems[1]).toContain(`chmod 0700 ${directory}/root`);
  });
});

describe('ensureEventsDirectory', () => {
  it('refuses directories that are not safe', () => {
    mkdirSync(directory);
    chownSync(directory, NOBODY, NOBODY);
    expect(() => {
      ensureEventsDirectory(directory);
    }).toThrow(/owner nobody and mode 0755.*chown root:root/);
    rmSync(directory, { recursive: true });
    symlinkSync('/tmp', directory);
    expect(() => {
      ensureEventsDirectory(directory);
    }).toThrow(/is not a directory/);
    rmSync(directory);
    chmodSync(parent, 0o777);
    expect(() => {
      ensureEventsDirectory(directory);
    }).toThrow(/others could replace its content/);
  });

  it('makes a directory with the number as name for a user without a name', () => {
    ensureEventsDirectory(directory, [userOrNumber(54_321)]);
    expect(statSync(join(directory, '54321')).uid).toBe(54_321);
  });
});
