import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { talk } from '../../src/console/terminal/talk.js';
import { REAL_TIME, SIGNALS } from '../../src/signals.js';
import { needs } from '../lab/needs.js';
import { until } from '../support/until.js';

const MAIN = resolve(import.meta.dirname, '../../dist/src/main.js');

let directory: string;
let config: string;
let console: string;
let children: ChildProcess[];

beforeEach(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not built: npm run build`);
  // as npm installs it: its first line counts
  chmodSync(MAIN, 0o755);
  directory = mkdtempSync(join(tmpdir(), 'subflowd-signals-'));
  config = join(directory, 'subflowd.ini');
  console = join(directory, 'console.sock');
  children = [];
  const lines = ['[openvpn lab]', `events = ${directory}/events`, '[path wifi]', 'prefix = 192.168.100.0/24'];
  const more = ['[console]', `socket = ${console}`, `overrides = ${directory}/overrides.json`, ''];
  writeFileSync(config, [...lines, ...more].join('\n'));
});
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(directory, { recursive: true });
});

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it said so far. */
  readonly said: () => string;
  readonly ended: Promise<unknown[]>;
}

function start(args: readonly string[], command: readonly string[] = [MAIN]): Running {
  const [file = '', ...before] = command;
  // not what this test runs with: who starts subflowd has no such options
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(file, [...before, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, pid: child.pid ?? 0, said: () => text, ended: once(child, 'exit') };
}

async function serving(): Promise<Running> {
  const running = start(['run', '-c', config]);
  await until('the daemon serves', () => running.said().includes('"event":"ready"'));
  return running;
}

/** Whether a process listens for TCP: by its descriptors, and the sockets of this network namespace that listen. */
function listens(pid: number): boolean {
  const listening = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .flatMap(([, , , state, , , , , , inode]) => (state === '0A' ? [`socket:[${inode}]`] : [])),
  );
  let sockets: string[] = [];
  try {
    sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // a descriptor that was closed meanwhile, or a process that has ended: looked at again soon
  }
  return sockets.some((socket) => listening.includes(socket));
}

const state = (pid: number) => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

describe('subflowd run', () => {
  needs('root', 'mptcp');

  it.each(SIGNALS.end)('ends cleanly by %s', async (signal) => {
    const { child, ended, said } = await serving();
    child.kill(signal);
    expect(await ended).toEqual([0, null]);
    expect(said()).toContain('every subflow stays as it is');
    expect(existsSync(console)).toBe(false);
  });

  it.each(SIGNALS.end)('ends at once by %s before it serves', async (signal) => {
    const running = start(['run', '-c', config]);
    // Node itself catches some of them before, only to give the terminal back
    await until('it has its own handlers', () => catches(running.pid, constants.signals.SIGQUIT));
    running.child.kill(signal);
    expect((await running.ended)[1]).toBeNull();
  });

  it('goes on after every signal that is not to end it, and says of which nobody should be surprised', async () => {
    const { pid, child, said } = await serving();
    const answers = async () => {
      expect((await talk(console, 'mptcp paths')).join('\n')).toContain('wifi');
    };
    for (const signal of SIGNALS.logged) {
      child.kill(signal);
      await until(`${signal} is logged`, () => said().includes(`"signal":"${signal}"`));
    }
    await answers();
    const silent = ['SIGPIPE', 'SIGXFSZ', 'SIGCHLD', 'SIGURG', 'SIGWINCH', 'SIGCONT'].map(
      (name) => name as NodeJS.Signals,
    );
    for (const signal of silent) child.kill(signal);
    for (let number: number = REAL_TIME.first; number <= REAL_TIME.last; number++) process.kill(pid, number);
    await answers();
    for (const signal of ['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const) {
      child.kill(signal);
      // the others stop no process whose group has nobody to continue it, as under a service manager
      if (signal === 'SIGSTOP') await until('it is stopped', () => state(pid) === 'T');
      child.kill('SIGCONT');
      await answers();
    }
    writeFileSync(config, readFileSync(config, 'utf8').replace('wifi', 'wlan'));
    child.kill('SIGHUP');
    await until('it reads the config again', async () =>
      (await talk(console, 'mptcp paths')).join('\n').includes('wlan'),
    );
    expect(listens(pid)).toBe(false);
  });

  it.each(['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGSYS', 'SIGKILL'] as const)(
    'is ended by %s as by a crash',
    async (signal) => {
      const { child, ended } = await serving();
      child.kill(signal);
      expect(await ended).toEqual([null, signal]);
      // and would start again as if nothing had been
      if (signal === 'SIGKILL') await serving();
    },
  );

  it('knows every signal there is', () => {
    const asACrash = [
      'SIGILL',
      'SIGTRAP',
      'SIGABRT',
      'SIGIOT',
      'SIGBUS',
      'SIGFPE',
      'SIGSEGV',
      'SIGSYS',
      'SIGKILL',
    ];
    const stopping = ['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'];
    const silent = ['SIGPIPE', 'SIGXFSZ', 'SIGCHLD', 'SIGURG', 'SIGWINCH', 'SIGCONT'];
    const ours = Object.values(SIGNALS).flat();
    expect([...ours, 'SIGPOLL', ...asACrash, ...stopping, ...silent].sort()).toEqual(
      Object.keys(constants.signals).sort(),
    );
  });
});

/** Whether a process has a handler for a signal (proc_pid_status(5), SigCgt). */
function catches(pid: number, signal: number): boolean {
  const mask = BigInt(
    `0x${/^SigCgt:\s+(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0'}`,
  );
  return ((mask >> BigInt(signal - 1)) & 1n) === 1n;
}

describe('a debugger', () => {
  needs('root', 'mptcp');

  it.each([
    ['run', () => ['run', '-c', config]],
    ['status', () => ['status', '-c', config]],
    ['check', () => ['check', '-c', config]],
    ['doctor', () => ['doctor', '-c', config]],
    ['console', () => ['console', '-c', config]],
    ['watch', () => ['watch', '-c', config]],
  ])('is opened at no moment by SIGUSR1 to subflowd %s', async (command, args) => {
    const server = ['status', 'console', 'watch'].includes(command) ? await serving() : undefined;
    const { child, pid, said } = start(args());
    // Node ends by SIGUSR1 until it has its handler for the debugger: what is looked at is the time after that
    await until(
      'Node has its handler',
      () => child.exitCode !== null || catches(pid, constants.signals.SIGUSR1),
    );
    const isOver = () => child.exitCode !== null || child.signalCode !== null;
    const end = performance.now() + 3_000;
    while (!isOver() && performance.now() < end) {
      child.kill('SIGUSR1');
      expect(listens(pid)).toBe(false);
      await new Promise((done) => setTimeout(done, 5));
    }
    expect(said()).not.toContain('Debugger listening');
    // others may be ended by it in their last moment, when Node has taken its handlers back
    if (command === 'run') expect(child.signalCode).toBeNull();
    if (server !== undefined) expect(server.child.exitCode).toBeNull();
  });
});

describe('what the checkout runs', () => {
  const ROOT = resolve(import.meta.dirname, '../..');

  it('has no debugger that SIGUSR1 opens', async () => {
    const script = `. ${ROOT}/test/setup.sh; exec node -e 'console.log("runs"); setInterval(() => {}, 60_000)'`;
    const { child, pid, said } = start([], ['bash', '-c', script]);
    await until('it runs', () => said().includes('runs'));
    child.kill('SIGUSR1');
    await until('it says why not', () => said().includes('Starting inspector on 192.0.2.1:9229 failed'));
    expect(listens(pid)).toBe(false);
    expect(child.exitCode).toBeNull();
  });

  it.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGQUIT', 131],
    ['SIGTERM', 143],
  ] as const)('undoes what it made by %s', async (signal, code) => {
    const undone = join(directory, 'undone');
    const script = `
      import { writeFileSync } from 'node:fs';
      import { Cleanup } from ${JSON.stringify(resolve(ROOT, 'dist/test/lab/cleanup.js'))};
      const cleanup = new Cleanup();
      cleanup.onSignals();
      cleanup.add(async () => writeFileSync(${JSON.stringify(undone)}, ''));
      console.log('runs');
      setInterval(() => undefined, 60_000);`;
    const { child, said, ended } = start(['--input-type=module', '--eval', script], [process.execPath]);
    await until('it runs', () => said().includes('runs'));
    child.kill(signal);
    expect(await ended).toEqual([code, null]);
    expect(existsSync(undone)).toBe(true);
  });
});
