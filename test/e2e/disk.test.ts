import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import { OverrideStore } from '../../src/control/overrides.js';
import { writeFileAtomically } from '../../src/util/atomic-file.js';
import { checkout } from '../lab/checkout.js';
import { needs } from '../lab/needs.js';
import { SmallDisk } from '../support/small-disk.js';

needs('root');

let disk: SmallDisk;
let file: string;

beforeEach(async () => {
  disk = await SmallDisk.mount();
  file = join(disk.path, 'overrides.json');
});

const onDisk = () => [...new OverrideStore(file).all()];

/** Sets an override. @returns why it failed; empty if it did not. */
function trySet(store: OverrideStore, key: string, path: string | undefined = 'wifi'): string {
  try {
    store.set(key, path);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('overrides', () => {
  needs('strace');

  it('that were accepted before the disk became full are all in force after a restart', () => {
    disk.fill(12_288);
    const store = new OverrideStore(file);
    const kept: string[] = [];
    const refused: string[] = [];
    for (let client = 0; client < 200; client++) {
      const key = `office/client-${client}-of-the-example-company.example.com`;
      const why = trySet(store, key);
      if (why === '') kept.push(key);
      else refused.push(why);
    }
    expect(kept.length).toBeGreaterThan(10);
    expect(refused.length).toBeGreaterThan(10);
    for (const why of refused)
      expect(why).toBe(`${file} cannot be written: ENOSPC: no space left on device, write`);
    expect([...store.all().keys()]).toEqual(kept);
    expect(onDisk().map(([key]) => key)).toEqual(kept);
    expect(
      readdirSync(disk.path).filter((name) => name.includes('.new') || name.includes('damaged')),
    ).toEqual([]);
    // As soon as the disk has space again, an override can be set.
    rmSync(disk.filler);
    expect(trySet(store, 'office/another')).toBe('');
    expect(onDisk()).toHaveLength(kept.length + 1);
    expect(store.problems()).toEqual([]);
  });

  it('cannot be changed while the file system is read-only, and the old ones stay in force', async () => {
    const store = new OverrideStore(file);
    expect(trySet(store, 'office/alice', 'lte')).toBe('');
    await disk.remount('ro');
    expect(trySet(store, 'office/alice')).toMatch(/cannot be written: EROFS/);
    expect([...store.all()]).toEqual([['office/alice', 'lte']]);
    expect(onDisk()).toEqual([['office/alice', 'lte']]);
    await disk.remount('rw');
    expect(trySet(store, 'office/alice')).toBe('');
    expect(onDisk()).toEqual([['office/alice', 'wifi']]);
  });

  it('come from the copy, with a problem, if their file is damaged on a read-only file system', async () => {
    expect(trySet(new OverrideStore(file), 'office/alice', 'lte')).toBe('');
    writeFileSync(file, '{"version":1,"overri');
    await disk.remount('ro');
    const store = new OverrideStore(file);
    expect([...store.all()]).toEqual([['office/alice', 'lte']]);
    expect(store.problems()).toEqual([
      expect.stringMatching(/is not a file of overrides; its copy is in force.*EROFS/),
    ]);
    await disk.remount('rw');
    expect(trySet(store, 'office/bob')).toBe('');
    expect(onDisk()).toHaveLength(2);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toBe('{"version":1,"overri');
  });

  /** strace makes the system calls of a child process fail, as with a quota or a broken disk. */
  it.each([
    ['a used-up quota', 'write:error=EDQUOT', 'EDQUOT: disk quota exceeded', 'lte'],
    ['a disk that fails to store the file', 'fsync:error=EIO:when=1', 'EIO', 'lte'],
    // The new file has replaced the old one already, so it is read after a restart.
    ['a disk that fails to store the directory', 'fsync:error=EIO:when=2', 'EIO', 'wifi'],
  ])('are the same in memory and on the disk after an error of %s', async (_what, inject, code, expected) => {
    expect(trySet(new OverrideStore(file), 'office/alice', 'lte')).toBe('');
    const script = [
      `import { OverrideStore } from ${JSON.stringify(join(checkout, 'dist/src/control/overrides.js'))};`,
      `const store = new OverrideStore(${JSON.stringify(file)});`,
      `let why = ''; try { store.set('office/alice', 'wifi'); } catch (error) { why = error.message; }`,
      `console.log(JSON.stringify({ why, path: store.all().get('office/alice') }));`,
    ];
    const child = join(disk.parent, 'child.mjs');
    writeFileSync(child, script.join('\n'));
    const [call = ''] = inject.split(':');
    const paths = `-P ${file}.$$.new -P ${disk.path}`;
    const shell = `exec strace -D -qq -o /dev/null ${paths} -e trace=${call} -e inject=${inject} "$@"`;
    const { stdout } = await execa('sh', ['-c', shell, 'sh', process.execPath, child]);
    expect(JSON.parse(stdout)).toEqual({ why: expect.stringContaining(code) as string, path: expected });
    expect(onDisk()).toEqual([['office/alice', expected]]);
    expect(readdirSync(disk.path).sort()).toEqual(['overrides.json', 'overrides.json.copy']);
  });
});

describe('a file that is written atomically', () => {
  it('keeps the old contents on a full disk, and leaves no temporary file', () => {
    const layout = join(disk.path, 'layout.json');
    writeFileAtomically(layout, 'old', 0o644);
    disk.fill(4096);
    expect(() => {
      writeFileAtomically(layout, 'x'.repeat(100_000), 0o644);
    }).toThrow(`${layout} cannot be written: ENOSPC`);
    expect(readFileSync(layout, 'utf8')).toBe('old');
    expect(readdirSync(disk.path).sort()).toEqual(['filler', 'layout.json']);
  });
});

describe('the hooks', () => {
  const HOOKS = join(checkout, 'hooks');
  let records: string;

  beforeEach(() => {
    records = join(disk.path, 'events', 'root');
    mkdirSync(records, { recursive: true, mode: 0o700 });
  });

  /** Runs a hook as OpenVPN does. It must end with 0 and print nothing, so that OpenVPN lets the client in. */
  async function run(hook: 'client-connect' | 'client-disconnect'): Promise<void> {
    const { exitCode, stdout, stderr } = await execa(join(HOOKS, hook), [], {
      env: {
        SUBFLOWD_EVENTS: join(disk.path, 'events'),
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
    disk.fill(0);
    await run('client-connect');
    expect(readdirSync(records)).toEqual([]);
    await run('client-disconnect');
    expect(readdirSync(records)).toEqual([]);
  });

  it('let a client in on a file system that becomes read-only, and out again', async () => {
    await run('client-connect');
    const before = readdirSync(records);
    await disk.remount('ro');
    await run('client-disconnect');
    await run('client-connect');
    expect(readdirSync(records)).toEqual(before);
    await disk.remount('rw');
    await run('client-disconnect');
    expect(readdirSync(records)).toEqual([]);
  });
});
