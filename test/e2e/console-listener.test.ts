import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../src/console/listen/console.js';
import type { Check } from '../../src/model/check.js';
import { needs } from '../lab/needs.js';
import { until } from '../support/until.js';
import { client, Steered } from '../unit/console/steered.js';

const MAIN = resolve(import.meta.dirname, '../../dist/src/main.js');
/** Of nobody on this host, and without a name. */
const STRANGER = 54_321;

/** Listens where the daemon would, prints what it is sent, and answers as if all were well. */
const LISTENER = `
const { createServer } = require('node:net');
const [path] = process.argv.slice(1);
process.umask(0);
createServer((socket) => {
  process.stdout.write('[connected]');
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    process.stdout.write(data);
    socket.write('>MPTCP:all is well\\r\\nall is well\\r\\nEND\\r\\n');
  });
}).listen(path, () => process.stdout.write('[listens]'));
`;

let directory: string;
let socket: string;
let config: string;
let listener: ChildProcess | undefined;
let heard: string;

beforeEach(() => {
  directory = mkdtempSync('/run/subflowd-test-');
  chmodSync(directory, 0o755);
  heard = '';
  place('console.sock');
});
afterEach(async () => {
  if (listener?.exitCode === null && listener.signalCode === null) {
    const ended = once(listener, 'exit');
    listener.kill('SIGKILL');
    await ended;
  }
  listener = undefined;
  rmSync(directory, { recursive: true });
});

/** Lets the config have its console there. */
function place(name: string): void {
  socket = join(directory, name);
  config = join(directory, 'subflowd.ini');
  const events = ['[openvpn lab]', `events = ${directory}/events`];
  const more = ['[console]', `socket = ${socket}`, `overrides = ${directory}/overrides.json`, ''];
  writeFileSync(config, [...events, ...more].join('\n'));
}

async function listen(uid = STRANGER, path = socket): Promise<void> {
  // where that user may put it
  chmodSync(dirname(path), 0o1777);
  listener = spawn(process.execPath, ['--eval', LISTENER, path], {
    uid,
    gid: uid,
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: '/',
  });
  listener.stdout?.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  await until('it listens', () => heard.includes('[listens]'));
}

/** What was said to whoever listens. */
const said = () => heard.replace(/\[[^\]]*\]/g, '');

function subflowd(words: readonly string[], { uid = 0, input = '' } = {}) {
  return execa(process.execPath, [MAIN, ...words, '--config', config], {
    uid,
    gid: uid,
    input,
    reject: false,
    timeout: 20_000,
    cwd: '/',
  });
}

const COMMANDS = [
  { words: ['status'] },
  { words: ['status', '--json'] },
  { words: ['primary', 'alice', 'lte'] },
  { words: ['rules', 'reload'] },
  { words: ['watch'] },
  { words: ['console'], input: 'password "Private Key" hunter2\n' },
];

describe('who serves a console', () => {
  needs('root');

  it.each(COMMANDS)('is told nothing by $words if it is a stranger', async ({ words, input = '' }) => {
    await listen();
    const { exitCode, stdout, stderr } = await subflowd(words, { input });
    const program = `process ${listener?.pid ?? 0} (${process.execPath})`;
    expect(stderr).toContain(
      `${socket}: user ${STRANGER} serves it, ${program}; only root and user subflowd are trusted: nothing was sent there`,
    );
    expect(stderr).toContain(`or, if it is your subflowd, run this command as user ${STRANGER}`);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(said()).toBe('');
  });

  it('is told nothing by a user who is neither it nor root', async () => {
    await listen();
    const { stderr } = await subflowd(['status'], { uid: 54_322 });
    expect(stderr).toContain('only you, root and user subflowd are trusted');
    expect(said()).toBe('');
  });

  it('is named by doctor, with what ends it', async () => {
    await listen();
    const { stdout } = await subflowd(['doctor', '--json']);
    const daemon = (JSON.parse(stdout) as Check[]).find(({ name }) => name === 'daemon');
    expect(daemon?.verdict).toBe('bad');
    expect(daemon?.found).toContain(`user ${STRANGER} serves it`);
    expect(daemon?.remedy).toBe(`kill ${listener?.pid ?? 0} && rm ${socket} && systemctl restart subflowd`);
    expect(said()).toBe('');
  });

  it('keeps a daemon from starting, which names it', async () => {
    await listen();
    const daemon = new Steered(join(directory, 'overrides'), [client('alice')]);
    const opened = Console.open({ socket, mode: 0o660 }, { daemon });
    await expect(opened).rejects.toThrow(
      `${socket}: user ${STRANGER} serves it, process ${listener?.pid ?? 0} (${process.execPath}); only root and ` +
        `user subflowd are trusted: end that program, then: rm ${socket}`,
    );
    expect(said()).toBe('');
  });

  it.each([
    ['root', 0, 0],
    ['root, for any user', 0, STRANGER],
    ['the user who asks', STRANGER, STRANGER],
  ])('may be %s', async (_who, server, asker) => {
    await listen(server);
    const { stdout, stderr } = await subflowd(['status'], { uid: asker });
    expect({ stdout, stderr }).toEqual({ stdout: 'all is well', stderr: '' });
    expect(said().trim()).toBe('mptcp status');
  });

  it('may be the user that the unit names', async () => {
    await listen();
    const accounts = join(directory, 'passwd');
    const line = `subflowd:x:${STRANGER}:${STRANGER}::/:/usr/sbin/nologin\n`;
    writeFileSync(accounts, readFileSync('/etc/passwd', 'utf8') + line);
    const script = 'mount --bind "$1" /etc/passwd && shift && exec "$@"';
    const command = [process.execPath, MAIN, 'status', '--config', config];
    const { stdout } = await execa('unshare', ['--mount', 'sh', '-c', script, 'sh', accounts, ...command]);
    expect(stdout).toBe('all is well');
  });

  it('is told nothing through a link that a stranger put there, though the other end is of root', async () => {
    await listen(0, join(directory, 'other.sock'));
    symlinkSync(join(directory, 'other.sock'), socket);
    lchownSync(socket, STRANGER, STRANGER);
    const { stderr } = await subflowd(['status']);
    expect(stderr).toContain(
      `${socket} belongs to user ${STRANGER}, who can replace it: nothing was sent there`,
    );
    expect(said()).toBe('');
  });

  it('is told nothing in a directory of a stranger, or of everybody', async () => {
    const open = join(directory, 'open');
    mkdirSync(open);
    place('open/console.sock');
    await listen(0);
    chmodSync(open, 0o777);
    expect((await subflowd(['status'])).stderr).toContain(
      `every user can replace files in ${open}: nothing was sent there`,
    );
    chmodSync(open, 0o755);
    expect((await subflowd(['status'])).stdout).toBe('all is well');
    heard = '';
    chownSync(open, STRANGER, STRANGER);
    expect((await subflowd(['status'])).stderr).toContain(`${open} is of user ${STRANGER}`);
    expect(said()).toBe('');
  });
});
