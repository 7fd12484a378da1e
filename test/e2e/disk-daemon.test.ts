import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DaemonStatus } from '../../src/api/status.js';
import { OverrideStore } from '../../src/control/overrides.js';
import type { Check } from '../../src/model/check.js';
import { needs } from '../lab/needs.js';
import { MAIN, writeIni } from '../support/command-line.js';
import { SmallDisk } from '../support/small-disk.js';
import { until } from '../support/until.js';

needs('root', 'mptcp');

let disk: SmallDisk;
let file: string;

beforeEach(async () => {
  disk = await SmallDisk.mount();
  file = join(disk.path, 'overrides.json');
});

const onDisk = () => [...new OverrideStore(file).all()];

/** Starts a daemon in its own network namespace, after lines of shell. */
function launch(script: string, config: string) {
  const args = ['--net', 'sh', '-c', script, 'sh', process.execPath, MAIN, 'run', '--single', '-c', config];
  return execa('unshare', args, { reject: false, stdio: 'ignore' });
}

describe('a daemon', () => {
  let config: string;
  let daemon: ReturnType<typeof launch> | undefined;

  beforeEach(() => {
    writeConfig('wifi');
    daemon = undefined;
  });
  afterEach(async () => {
    daemon?.kill();
    await daemon;
  });

  function writeConfig(primary: string): void {
    config = writeIni(disk.parent, { server: 'office', primary, overrides: file });
  }

  /** Starts the daemon. Resolves with its process when it serves. @param limits lines of shell that run before it. */
  async function start(limits = '', log = join(disk.parent, 'log')): Promise<number> {
    const script = `ip link set lo up; sysctl -qw net.mptcp.pm_type=1; ${limits} exec "$@" 2>>${log}`;
    daemon = launch(script, config);
    const { pid = 0 } = daemon;
    await until('the daemon serves', async () => (await cli('rules')).exitCode === 0, 120_000);
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

  it('starts with damaged overrides, and log, status and doctor report them', async () => {
    new OverrideStore(file).set('office/alice', 'lte');
    writeFileSync(file, Buffer.alloc(4096));
    await start();
    expect(await rules()).toContain('override office/alice: lte');
    const problem = `${file} is not a file of overrides; its copy is in force, overrides: 1`;
    const { stdout } = await cli('status', '--json');
    expect((JSON.parse(stdout) as DaemonStatus).problems).toEqual([expect.stringContaining(problem)]);
    expect(readFileSync(join(disk.parent, 'log'), 'utf8')).toContain(problem);
    const checks = JSON.parse((await cli('doctor', '--json')).stdout) as Check[];
    expect(checks).toContainEqual({
      name: 'overrides',
      verdict: 'bad',
      found: `a file of overrides that could not be read was renamed to ${file}.damaged`,
      remedy: expect.stringContaining(`rm ${file}.damaged`) as string,
    });
  });

  it('keeps serving if its log cannot be written', async () => {
    await start('', '/dev/full');
    writeConfig('lte');
    await until('the new rule is in force', async () => (await rules()).includes('[default]: primary = lte'));
  });

  it('refuses an override that would exceed the limit of a file’s size, and keeps serving', async () => {
    const store = new OverrideStore(file);
    for (let client = 0; client < 20; client++) store.set(`office/${client}${'x'.repeat(200)}`, 'wifi');
    store.set('office/alice', 'lte');
    // `ulimit -f` counts blocks of 512 bytes.
    await start('ulimit -f 8;');
    const refused = await cli('primary', 'office/alice', 'wifi');
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('EFBIG') as string]);
    expect(await rules()).toContain('override office/alice: lte');
    expect(new Map(onDisk()).get('office/alice')).toBe('lte');
  });

  it('without a free descriptor serves its present clients and stays idle, and later serves all again', async () => {
    new OverrideStore(file).set('office/alice', 'lte');
    const pid = await start();
    const used = readdirSync(`/proc/${pid}/fd`).length;
    const first = await connectToConsole();
    const others: Socket[] = [];
    await execa('prlimit', ['--pid', String(pid), `--nofile=${used + 8}`]);
    try {
      while (others.length < 40)
        others.push(connect(join(disk.parent, 'console.sock')).on('error', () => undefined));
      await until('no descriptor is free', () => readdirSync(`/proc/${pid}/fd`).length >= used + 7);
      expect(await ask(first, 'mptcp rules')).toContain('override office/alice: lte');
      expect(await ask(first, 'mptcp primary office/alice wifi')).toMatch(
        /^ERROR: the override cannot be kept: .*EMFILE/m,
      );
      expect(await ask(first, 'mptcp rules')).toContain('override office/alice: lte');
      // This save is applied later.
      writeConfig('lte');
      const before = cpuTicks(pid);
      // Measured over 3 s in hundredths of a second: the daemon does not retry accept(2) in a busy loop.
      await sleep(3000);
      expect(cpuTicks(pid) - before).toBeLessThan(150);
      expect(await ask(first, 'mptcp rules')).toContain('[default]: primary = wifi');
    } finally {
      for (const socket of others) socket.destroy();
    }
    await until('the saved rule is in force', async () =>
      (await ask(first, 'mptcp rules')).includes('primary = lte'),
    );
    expect((await cli('primary', 'office/alice', 'wifi')).exitCode).toBe(0);
    expect(onDisk()).toEqual([['office/alice', 'wifi']]);
    first.destroy();
  });

  /** Connects to the console. Resolves after its greeting. */
  async function connectToConsole(): Promise<Socket> {
    const socket = connect(join(disk.parent, 'console.sock'));
    await new Promise((resolveConnected) => socket.once('data', resolveConnected));
    return socket;
  }

  /** @returns the answer up to END, SUCCESS: or ERROR:. */
  async function ask(socket: Socket, line: string): Promise<string> {
    let heard = '';
    const hear = (chunk: Buffer) => (heard += chunk.toString());
    socket.on('data', hear);
    socket.write(`${line}\n`);
    await until(`an answer to ${line}`, () => /^(?:END|SUCCESS:.*|ERROR:.*)\r?\n/m.test(heard));
    socket.off('data', hear);
    return heard;
  }
});
