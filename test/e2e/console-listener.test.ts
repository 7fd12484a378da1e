import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../src/console/listen/console.js';
import type { Check } from '../../src/model/check.js';
import { needs } from '../lab/needs.js';
import { MAIN } from '../support/command-line.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { client, Steered } from '../unit/console/steered.js';

/** A user number that no account of this host has. */
const STRANGER = 54_321;

/** Listens at the daemon's socket, prints what clients send, and answers as a daemon would. */
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
/** What {@link LISTENER} printed so far. */
let output: string;

beforeEach(() => {
  directory = temporaryDirectory({ parent: '/run', mode: 0o755 });
  output = '';
  placeConsole('console.sock');
});
afterEach(async () => {
  if (listener?.exitCode === null && listener.signalCode === null) {
    const ended = once(listener, 'exit');
    listener.kill('SIGKILL');
    await ended;
  }
  listener = undefined;
});

/** Writes a config with its console at this name. */
function placeConsole(name: string): void {
  socket = join(directory, name);
  config = join(directory, 'subflowd.ini');
  const events = ['[openvpn lab]', `events = ${directory}/events`];
  const more = ['[console]', `socket = ${socket}`, `overrides = ${directory}/overrides.json`, ''];
  writeFileSync(config, [...events, ...more].join('\n'));
}

/** Starts {@link LISTENER} as a user. */
async function listen(uid = STRANGER, path = socket): Promise<void> {
  // That user must be able to create a socket here.
  chmodSync(dirname(path), 0o1777);
  listener = spawn(process.execPath, ['--eval', LISTENER, path], {
    uid,
    gid: uid,
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: '/',
  });
  listener.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until('it listens', () => output.includes('[listens]'));
}

/** What clients sent to {@link LISTENER}. */
const received = () => output.replace(/\[[^\]]*\]/g, '');

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

describe('a program that listens at the daemon’s socket', () => {
  needs('root');

  it.each(COMMANDS)('gets nothing from $words if it runs as another user', async ({ words, input = '' }) => {
    await listen();
    const { exitCode, stdout, stderr } = await subflowd(words, { input });
    const program = `process ${listener?.pid ?? 0} (${process.execPath})`;
    expect(stderr).toContain(
      `${socket}: user ${STRANGER} serves it, ${program}; only root and user subflowd are trusted: nothing was sent there`,
    );
    expect(stderr).toContain(`or, if it is your subflowd, run this command as user ${STRANGER}`);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(received()).toBe('');
  });

  it('gets nothing from a user other than its own and root', async () => {
    await listen();
    const { stderr } = await subflowd(['status'], { uid: 54_322 });
    expect(stderr).toContain('only you, root and user subflowd are trusted');
    expect(received()).toBe('');
  });

  it('is named by doctor, with the command that ends it', async () => {
    await listen();
    const { stdout } = await subflowd(['doctor', '--json']);
    const daemon = (JSON.parse(stdout) as Check[]).find(({ name }) => name === 'daemon');
    expect(daemon?.verdict).toBe('bad');
    expect(daemon?.found).toContain(`user ${STRANGER} serves it`);
    expect(daemon?.remedy).toBe(`kill ${listener?.pid ?? 0} && rm ${socket} && systemctl restart subflowd`);
    expect(received()).toBe('');
  });

  it('prevents the start of a daemon, and is named in the error', async () => {
    await listen();
    const daemon = new Steered(join(directory, 'overrides'), [client('alice')]);
    const opened = Console.open({ socket, mode: 0o660 }, { daemon });
    await expect(opened).rejects.toThrow(
      `${socket}: user ${STRANGER} serves it, process ${listener?.pid ?? 0} (${process.execPath}); only root and ` +
        `user subflowd are trusted: end that program, then: rm ${socket}`,
    );
    expect(received()).toBe('');
  });

  it.each([
    ['root', 0, 0],
    ['root and the command as another user', 0, STRANGER],
    ['the user who runs the command', STRANGER, STRANGER],
  ])('gets the command if it runs as %s', async (_who, server, asker) => {
    await listen(server);
    const { stdout, stderr } = await subflowd(['status'], { uid: asker });
    expect({ stdout, stderr }).toEqual({ stdout: 'all is well', stderr: '' });
    expect(received().trim()).toBe('mptcp status');
  });

  it('gets the command if it runs as the user of the unit', async () => {
    await listen();
    const accounts = join(directory, 'passwd');
    const line = `subflowd:x:${STRANGER}:${STRANGER}::/:/usr/sbin/nologin\n`;
    writeFileSync(accounts, readFileSync('/etc/passwd', 'utf8') + line);
    const script = 'mount --bind "$1" /etc/passwd && shift && exec "$@"';
    const command = [process.execPath, MAIN, 'status', '--config', config];
    const { stdout } = await execa('unshare', ['--mount', 'sh', '-c', script, 'sh', accounts, ...command]);
    expect(stdout).toBe('all is well');
  });

  it('gets nothing through a symbolic link of another user, although root owns the socket', async () => {
    await listen(0, join(directory, 'other.sock'));
    symlinkSync(join(directory, 'other.sock'), socket);
    lchownSync(socket, STRANGER, STRANGER);
    const { stderr } = await subflowd(['status']);
    expect(stderr).toContain(
      `${socket} belongs to user ${STRANGER}, who can replace it: nothing was sent there`,
    );
    expect(received()).toBe('');
  });

  it('gets nothing in a directory that another user owns or everybody may write', async () => {
    const open = join(directory, 'open');
    mkdirSync(open);
    placeConsole('open/console.sock');
    await listen(0);
    chmodSync(open, 0o777);
    expect((await subflowd(['status'])).stderr).toContain(
      `every user can replace files in ${open}: nothing was sent there`,
    );
    chmodSync(open, 0o755);
    expect((await subflowd(['status'])).stdout).toBe('all is well');
    output = '';
    chownSync(open, STRANGER, STRANGER);
    expect((await subflowd(['status'])).stderr).toContain(`${open} belongs to user ${STRANGER}`);
    expect(received()).toBe('');
  });
});
