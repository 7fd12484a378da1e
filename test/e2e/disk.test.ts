import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomically } from '../../src/util/atomic-file.js';
import type { Check } from '../../src/model/check.js';
import type { DaemonStatus } from '../../src/api/status.js';
import { OverrideStore } from '../../src/control/overrides.js';
import { needs } from '../lab/needs.js';
import { Talker } from '../support/talker.js';
import { until } from '../support/until.js';

const DIST = resolve(import.meta.dirname, '../../dist/src');
const MAIN = join(DIST, 'main.js');

let directory: string;
/** A file system of 64 KiB. */
let disk: string;
let file: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-disk-'));
  disk = join(directory, 'disk');
  file = join(disk, 'overrides.json');
  mkdirSync(disk);
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=755', 'tmpfs', disk]);
});
afterEach(async () => {
  await execa('umount', ['--lazy', disk]);
  rmSync(directory, { recursive: true, force: true });
});

/** Leaves this much room, bytes. */
function fill(left: number): void {
  writeFileSync(join(disk, 'filler'), '');
  const { length } = readdirSync(disk);
  expect(length).toBeGreaterThan(0);
  try {
    for (;;) writeFileSync(join(disk, 'filler'), Buffer.alloc(4096), { flag: 'a' });
  } catch {
    const { size } = statSync(join(disk, 'filler'));
    truncateSync(join(disk, 'filler'), size - left);
  }
}

const onDisk = () => [...new OverrideStore(file).all()];

function sets(store: OverrideStore, key: string, path: string | undefined = 'wifi'): string {
  try {
    store.set(key, path);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('overrides', () => {
  needs('root', 'strace');

  it('are all there after a restart, as many as a disk has room for that becomes full', () => {
    fill(12_288);
    const store = new OverrideStore(file);
    const kept: string[] = [];
    const refused: string[] = [];
    for (let client = 0; client < 200; client++) {
      const key = `office/client-${client}-of-the-example-company.example.com`;
      const why = sets(store, key);
      if (why === '') kept.push(key);
      else refused.push(why);
    }
    expect(kept.length).toBeGreaterThan(10);
    expect(refused.length).toBeGreaterThan(10);
    for (const why of refused)
      expect(why).toBe(`${file} cannot be written: ENOSPC: no space left on device, write`);
    expect([...store.all().keys()]).toEqual(kept);
    expect(onDisk().map(([key]) => key)).toEqual(kept);
    expect(readdirSync(disk).filter((name) => name.includes('.new') || name.includes('damaged'))).toEqual([]);
    // as soon as there is room again
    rmSync(join(disk, 'filler'));
    expect(sets(store, 'office/another')).toBe('');
    expect(onDisk()).toHaveLength(kept.length + 1);
    expect(store.problems()).toEqual([]);
  });

  it('are as they were on a file system that becomes read-only, until it can be written to again', async () => {
    const store = new OverrideStore(file);
    expect(sets(store, 'office/alice', 'lte')).toBe('');
    await execa('mount', ['-o', 'remount,ro', disk]);
    expect(sets(store, 'office/alice')).toMatch(/cannot be written: EROFS/);
    expect([...store.all()]).toEqual([['office/alice', 'lte']]);
    expect(onDisk()).toEqual([['office/alice', 'lte']]);
    await execa('mount', ['-o', 'remount,rw', disk]);
    expect(sets(store, 'office/alice')).toBe('');
    expect(onDisk()).toEqual([['office/alice', 'wifi']]);
  });

  it('that are damaged on a read-only file system are those of the copy, and that is a problem', async () => {
    expect(sets(new OverrideStore(file), 'office/alice', 'lte')).toBe('');
    writeFileSync(file, '{"version":1,"overri');
    await execa('mount', ['-o', 'remount,ro', disk]);
    const store = new OverrideStore(file);
    expect([...store.all()]).toEqual([['office/alice', 'lte']]);
    expect(store.problems()).toEqual([
      expect.stringMatching(/is not a file of overrides; its copy is in force.*EROFS/),
    ]);
    await execa('mount', ['-o', 'remount,rw', disk]);
    expect(sets(store, 'office/bob')).toBe('');
    expect(onDisk()).toHaveLength(2);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toBe('{"version":1,"overri');
  });

  /** Errors that the kernel gives to a process of its own: a quota, a disk that fails. */
  it.each([
    ['a quota', 'write:error=EDQUOT', 'EDQUOT: disk quota exceeded', 'lte'],
    ['a disk that fails at the file', 'fsync:error=EIO:when=1', 'EIO', 'lte'],
    // it has taken the file's place: after a restart it is read, unless the disk forgets it
    ['a disk that fails at the directory', 'fsync:error=EIO:when=2', 'EIO', 'wifi'],
  ])('in memory are those on the disk with %s', async (_what, inject, code, expected) => {
    expect(sets(new OverrideStore(file), 'office/alice', 'lte')).toBe('');
    const script = [
      `import { OverrideStore } from ${JSON.stringify(join(DIST, 'control/overrides.js'))};`,
      `const store = new OverrideStore(${JSON.stringify(file)});`,
      `let why = ''; try { store.set('office/alice', 'wifi'); } catch (error) { why = error.message; }`,
      `console.log(JSON.stringify({ why, path: store.all().get('office/alice') }));`,
    ];
    const child = join(directory, 'child.mjs');
    writeFileSync(child, script.join('\n'));
    const [call = ''] = inject.split(':');
    const paths = `-P ${file}.$$.new -P ${disk}`;
    const shell = `exec strace -D -qq -o /dev/null ${paths} -e trace=${call} -e inject=${inject} "$@"`;
    const { stdout } = await execa('sh', ['-c', shell, 'sh', process.execPath, child]);
    expect(JSON.parse(stdout)).toEqual({ why: expect.stringContaining(code) as string, path: expected });
    expect(onDisk()).toEqual([['office/alice', expected]]);
    expect(readdirSync(disk).sort()).toEqual(['overrides.json', 'overrides.json.copy']);
  });
});

/** A daemon, behind lines of shell in a network namespace of its own. */
function launch(script: string, config: string) {
  const args = ['--net', 'sh', '-c', script, 'sh', process.execPath, MAIN, 'run', '-c', config];
  return execa('unshare', args, { reject: false, stdio: 'ignore' });
}

describe('a daemon', () => {
  needs('root', 'mptcp');

  let config: string;
  let daemon: ReturnType<typeof launch> | undefined;

  beforeEach(() => {
    config = join(directory, 'subflowd.ini');
    writeConfig('wifi');
    daemon = undefined;
  });
  afterEach(async () => {
    daemon?.kill();
    await daemon;
  });

  function writeConfig(primary: string): void {
    const lines = [
      '[openvpn office]',
      `events = ${directory}/events`,
      '[path wifi]',
      'prefix = 192.168.100.0/24',
      '[path lte]',
      'prefix = 192.168.200.0/24',
      '[default]',
      `primary = ${primary}`,
      '[console]',
      `socket = ${directory}/console.sock`,
      `overrides = ${file}`,
    ];
    writeFileSync(config, lines.join('\n'));
  }

  /** In a network namespace of its own. @param limits lines of shell, before it begins. */
  async function start(limits = '', log = join(directory, 'log')): Promise<number> {
    const script = `ip link set lo up; sysctl -qw net.mptcp.pm_type=1; ${limits} exec "$@" 2>>${log}`;
    daemon = launch(script, config);
    const { pid = 0 } = daemon;
    await until('it serves', async () => (await cli('rules')).exitCode === 0, 120_000);
    return pid;
  }

  function cli(...args: string[]) {
    return execa(process.execPath, [MAIN, ...args, '-c', config], { reject: false, timeout: 60_000 });
  }

  async function rules(): Promise<string> {
    return (await cli('rules')).stdout;
  }

  const cpuTicks = (pid: number) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };

  it('starts with damaged overrides, and log, status and doctor say so', async () => {
    new OverrideStore(file).set('office/alice', 'lte');
    writeFileSync(file, Buffer.alloc(4096));
    await start();
    expect(await rules()).toContain('override office/alice: lte');
    const problem = `${file} is not a file of overrides; its copy is in force, overrides: 1`;
    const { stdout } = await cli('status', '--json');
    expect((JSON.parse(stdout) as DaemonStatus).problems).toEqual([expect.stringContaining(problem)]);
    expect(readFileSync(join(directory, 'log'), 'utf8')).toContain(problem);
    const checks = JSON.parse((await cli('doctor', '--json')).stdout) as Check[];
    expect(checks).toContainEqual({
      name: 'overrides',
      verdict: 'bad',
      found: `a file of overrides that could not be read was renamed to ${file}.damaged`,
      remedy: expect.stringContaining(`rm ${file}.damaged`) as string,
    });
  });

  it('serves on where its log cannot be written', async () => {
    await start('', '/dev/full');
    writeConfig('lte');
    await until('the new rule is in force', async () => (await rules()).includes('[default]: primary = lte'));
  });

  it('says no to an override that is above the limit of a file’s size, and lives', async () => {
    const store = new OverrideStore(file);
    for (let client = 0; client < 20; client++) store.set(`office/${client}${'x'.repeat(200)}`, 'wifi');
    store.set('office/alice', 'lte');
    // blocks of 512 bytes
    await start('ulimit -f 8;');
    const refused = await cli('primary', 'office/alice', 'wifi');
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('EFBIG') as string]);
    expect(await rules()).toContain('override office/alice: lte');
    expect(new Map(onDisk()).get('office/alice')).toBe('lte');
  });

  it('serves those who are there, and rests, while it has no descriptor left; then all again', async () => {
    new OverrideStore(file).set('office/alice', 'lte');
    const pid = await start();
    const used = readdirSync(`/proc/${pid}/fd`).length;
    const first = await greeted();
    const others: Socket[] = [];
    await execa('prlimit', ['--pid', String(pid), `--nofile=${used + 8}`]);
    try {
      while (others.length < 40)
        others.push(connect(join(directory, 'console.sock')).on('error', () => undefined));
      await until('none is left', () => readdirSync(`/proc/${pid}/fd`).length >= used + 7);
      expect(await ask(first, 'mptcp rules')).toContain('override office/alice: lte');
      expect(await ask(first, 'mptcp primary office/alice wifi')).toMatch(
        /^ERROR: the override cannot be kept: .*EMFILE/m,
      );
      expect(await ask(first, 'mptcp rules')).toContain('override office/alice: lte');
      // a save meanwhile is not forgotten
      writeConfig('lte');
      const before = cpuTicks(pid);
      await sleep(3000);
      // hundredths of a second: it does not try for ever to accept who cannot be
      expect(cpuTicks(pid) - before).toBeLessThan(150);
      expect(await ask(first, 'mptcp rules')).toContain('[default]: primary = wifi');
    } finally {
      for (const socket of others) socket.destroy();
    }
    await until('the save is in force', async () =>
      (await ask(first, 'mptcp rules')).includes('primary = lte'),
    );
    expect((await cli('primary', 'office/alice', 'wifi')).exitCode).toBe(0);
    expect(onDisk()).toEqual([['office/alice', 'wifi']]);
    first.close();
  });

  async function greeted(): Promise<Talker> {
    const talker = await Talker.connect(join(directory, 'console.sock'));
    await talker.hears(/^>INFO:/);
    return talker;
  }

  async function ask(talker: Talker, line: string): Promise<string> {
    return (await talker.command(line)).join('\n');
  }
});

describe('a file that is written whole', () => {
  needs('root');

  it('leaves nothing beside it on a full disk, and the old one as it was', () => {
    const layout = join(disk, 'layout.json');
    writeFileAtomically(layout, 'old', 0o644);
    fill(4096);
    expect(() => {
      writeFileAtomically(layout, 'x'.repeat(100_000), 0o644);
    }).toThrow(`${layout} cannot be written: ENOSPC`);
    expect(readFileSync(layout, 'utf8')).toBe('old');
    expect(readdirSync(disk).sort()).toEqual(['filler', 'layout.json']);
  });
});

describe('the hooks', () => {
  needs('root');

  const HOOKS = resolve(import.meta.dirname, '../../hooks');
  let records: string;

  beforeEach(() => {
    records = join(disk, 'events', 'root');
    mkdirSync(records, { recursive: true, mode: 0o700 });
  });

  /** As OpenVPN runs it. A client is let in, and OpenVPN's log has nothing of it, whatever the disk says. */
  async function run(hook: 'client-connect' | 'client-disconnect'): Promise<void> {
    const { exitCode, stdout, stderr } = await execa(join(HOOKS, hook), [], {
      env: {
        SUBFLOWD_EVENTS: join(disk, 'events'),
        daemon_pid: '4242',
        trusted_ip: '192.0.2.7',
        trusted_port: '50000',
        common_name: 'alice',
      },
      extendEnv: false,
      reject: false,
    });
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  }

  it('let a client in on a full disk, and out again', async () => {
    fill(0);
    await run('client-connect');
    const [record = ''] = readdirSync(records);
    // half of one, as which the daemon reports it
    expect(statSync(join(records, record)).size).toBe(0);
    await run('client-disconnect');
    expect(readdirSync(records)).toEqual([]);
  });

  it('let a client in on a file system that becomes read-only, and out again', async () => {
    await run('client-connect');
    const before = readdirSync(records);
    await execa('mount', ['-o', 'remount,ro', disk]);
    await run('client-disconnect');
    await run('client-connect');
    expect(readdirSync(records)).toEqual(before);
    await execa('mount', ['-o', 'remount,rw', disk]);
    await run('client-disconnect');
    expect(readdirSync(records)).toEqual([]);
  });
});
