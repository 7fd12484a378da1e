import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { talk } from '../../src/console/terminal/talk.js';
import { REAL_TIME, SIGNALS } from '../../src/signals.js';
import { needs } from '../lab/needs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MAIN = resolve(import.meta.dirname, '../../dist/bundle/main.js');

let directory: string;
let config: string;
let console: string;
let children: ChildProcess[];

beforeEach(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not built: npm run build`);
  // npm makes it executable, and its first line names node.
  chmodSync(MAIN, 0o755);
  directory = temporaryDirectory();
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
});

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it printed so far. */
  readonly output: () => string;
  readonly ended: Promise<unknown[]>;
}

function start(args: readonly string[], command: readonly string[] = [MAIN]): Running {
  const [file = '', ...before] = command;
  // The variable of this test run would change how Node handles signals.
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(file, [...before, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, pid: child.pid ?? 0, output: () => text, ended: once(child, 'exit') };
}

/** Starts a daemon. Resolves when it serves. */
async function startDaemon(): Promise<Running> {
  const running = start(['run', '--single', '-c', config]);
  await until('the daemon serves', () => running.output().includes('"event":"ready"'));
  return running;
}

/** Whether a process listens on TCP: one of its descriptors is a listening socket of this network namespace. */
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
    // A descriptor was closed meanwhile, or the process ended. The caller checks again soon.
  }
  return sockets.some((socket) => listening.includes(socket));
}

const state = (pid: number) => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

describe('subflowd run', () => {
  needs('root', 'mptcp');

  it.each(SIGNALS.end)('ends with exit code 0 at %s', async (signal) => {
    const { child, ended, output } = await startDaemon();
    child.kill(signal);
    expect(await ended).toEqual([0, null]);
    expect(output()).toContain('every subflow stays as it is');
    expect(existsSync(console)).toBe(false);
  });

  it.each(SIGNALS.end)('ends at once at %s before it serves', async (signal) => {
    const running = start(['run', '--single', '-c', config]);
    // Before, Node itself handles some of these signals, to restore the terminal.
    await until('the daemon has its own handlers', () => catches(running.pid, constants.signals.SIGQUIT));
    running.child.kill(signal);
    expect((await running.ended)[1]).toBeNull();
  });

  it('keeps serving after every signal that does not end it, and logs those that an admin can send by mistake', async () => {
    const { pid, child, output } = await startDaemon();
    const answers = async () => {
      expect((await talk(console, 'mptcp paths')).join('\n')).toContain('wifi');
    };
    for (const signal of SIGNALS.logged) {
      child.kill(signal);
      await until(`${signal} is logged`, () => output().includes(`"signal":"${signal}"`));
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
      // The other signals do not stop a process in an orphaned process group, as under a service manager.
      if (signal === 'SIGSTOP') await until('the daemon is stopped', () => state(pid) === 'T');
      child.kill('SIGCONT');
      await answers();
    }
    writeFileSync(config, readFileSync(config, 'utf8').replace('wifi', 'wlan'));
    child.kill('SIGHUP');
    await until('the new config is in force', async () =>
      (await talk(console, 'mptcp paths')).join('\n').includes('wlan'),
    );
    expect(listens(pid)).toBe(false);
  });

  it.each(['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGSYS', 'SIGKILL'] as const)(
    'ends with the signal %s',
    async (signal) => {
      const { child, ended } = await startDaemon();
      child.kill(signal);
      expect(await ended).toEqual([null, signal]);
      // After SIGKILL a new daemon can start.
      if (signal === 'SIGKILL') await startDaemon();
    },
  );

  it('has a rule for every signal of this system', () => {
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

describe('the debugger of Node', () => {
  needs('root', 'mptcp');

  it.each([
    ['run', () => ['run', '--single', '-c', config]],
    ['status', () => ['status', '-c', config]],
    ['check', () => ['check', '-c', config]],
    ['doctor', () => ['doctor', '-c', config]],
    ['console', () => ['console', '-c', config]],
    ['watch', () => ['watch', '-c', config]],
  ])('never opens at SIGUSR1 to subflowd %s', async (command, args) => {
    const server = ['status', 'console', 'watch'].includes(command) ? await startDaemon() : undefined;
    const { child, pid, output } = start(args());
    // SIGUSR1 ends Node until it has its handler for the debugger. This test checks the time after that.
    await until(
      'Node has its handler',
      () => child.exitCode !== null || catches(pid, constants.signals.SIGUSR1),
    );
    const isOver = () => child.exitCode !== null || child.signalCode !== null;
    const end = performance.now() + 3_000;
    while (!isOver() && performance.now() < end) {
      child.kill('SIGUSR1');
      expect(listens(pid)).toBe(false);
      // Signals are sent every 5 ms for 3 s, to hit every phase of the start.
      await new Promise((done) => setTimeout(done, 5));
    }
    expect(output()).not.toContain('Debugger listening');
    // The other commands can be ended by it at their end, when Node has removed its handlers.
    if (command === 'run') expect(child.signalCode).toBeNull();
    if (server !== undefined) expect(server.child.exitCode).toBeNull();
  });
});

describe('a script of the checkout', () => {
  const ROOT = resolve(import.meta.dirname, '../..');

  it('does not open the debugger at SIGUSR1', async () => {
    const script = `. ${ROOT}/test/setup.sh; exec node -e 'console.log("runs"); setInterval(() => {}, 60_000)'`;
    const { child, pid, output } = start([], ['bash', '-c', script]);
    await until('the script runs', () => output().includes('runs'));
    child.kill('SIGUSR1');
    await until('Node reports that it cannot open the debugger', () =>
      output().includes('Starting inspector on 192.0.2.1:9229 failed'),
    );
    expect(listens(pid)).toBe(false);
    expect(child.exitCode).toBeNull();
  });

  it.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGQUIT', 131],
    ['SIGTERM', 143],
  ] as const)('runs its cleanup at %s', async (signal, code) => {
    const undone = join(directory, 'undone');
    const script = `
      import { writeFileSync } from 'node:fs';
      import { Cleanup } from ${JSON.stringify(resolve(ROOT, 'dist/test/lab/cleanup.js'))};
      const cleanup = new Cleanup();
      cleanup.onSignals();
      cleanup.add(async () => writeFileSync(${JSON.stringify(undone)}, ''));
      console.log('runs');
      setInterval(() => undefined, 60_000);`;
    const { child, output, ended } = start(['--input-type=module', '--eval', script], [process.execPath]);
    await until('the script runs', () => output().includes('runs'));
    child.kill(signal);
    expect(await ended).toEqual([code, null]);
    expect(existsSync(undone)).toBe(true);
  });
});
