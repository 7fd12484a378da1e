import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_LIMITS } from '../../src/console/listen/client-connection.js';
import { Console, type ConsoleAddress } from '../../src/console/listen/console.js';
import { talk } from '../../src/console/terminal/talk.js';
import { needs } from '../lab/needs.js';
import { freePort } from '../support/free-port.js';
import { Talker } from '../support/talker.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { client, Steered } from '../unit/console/steered.js';

const [MALLORY, TRUDY, CAROL] = [54_321, 54_322, 54_323];
const PASSWORD = 'open sesame';

/** Connects `count` times, or again and again, sends `say`, and prints as JSON what each connection received, in order. */
const STRANGER = `
const { connect } = require('node:net');
const { where, count, say, again } = JSON.parse(process.argv[1]);
function begin(index) {
  const socket = typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1');
  let heard = '';
  const end = (how) => {
    process.stdout.write(JSON.stringify({ index, how, heard }) + '\\n');
    if (again) setTimeout(() => begin(index), 1);
  };
  socket.on('connect', () => say && socket.write(say));
  socket.on('data', (data) => {
    heard += data;
    if (say && again && String(data).endsWith('ENTER PASSWORD:')) socket.write(say);
    process.stdout.write(JSON.stringify({ index, heard }) + '\\n');
  });
  socket.on('error', (error) => { heard += '[' + error.code + ']'; });
  socket.on('close', () => end('closed'));
}
for (let index = 0; index < count; index++) begin(index);
`;

let directory: string;
let address: ConsoleAddress;
let console: Console | undefined;
let strangers: ChildProcess[];
let wrong: string[];

beforeEach(() => {
  directory = temporaryDirectory({ parent: '/run', mode: 0o755 });
  address = { socket: join(directory, 'console'), mode: 0o666 };
  strangers = [];
  wrong = [];
});
afterEach(async () => {
  for (const stranger of strangers) {
    if (stranger.exitCode !== null) continue;
    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
  }
  await console?.close();
  console = undefined;
});

async function open(more: Partial<ConsoleAddress> = {}, limits = CLIENT_LIMITS): Promise<void> {
  address = { ...address, ...more };
  const daemon = new Steered(join(directory, 'overrides'), [client('alice')]);
  console = await Console.open(address, { daemon, onWrongPassword: (text) => wrong.push(text) }, limits);
}

interface Heard {
  readonly index: number;
  readonly how?: 'closed';
  readonly heard: string;
}

/** Runs {@link STRANGER} as another user of this host. @returns what its connections received so far. */
function stranger(
  uid: number,
  what: { where?: string | number; count: number; say?: string; again?: boolean },
): Heard[] {
  const heard: Heard[] = [];
  const given = JSON.stringify({ where: address.socket, ...what });
  const child = spawn(process.execPath, ['--eval', STRANGER, given], {
    uid,
    gid: uid,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  strangers.push(child);
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    heard.push(...lines.map((line) => JSON.parse(line) as Heard));
  });
  return heard;
}

/** @returns how many connections got the console's greeting. */
function served(heard: readonly Heard[]): number {
  return new Set(heard.filter((each) => each.heard.includes('>INFO:')).map(({ index }) => index)).size;
}

/** Sends lines on TCP as this process's user. @returns all that arrives until the console closes the connection. */
async function sendOnTcp(port: number, ...lines: readonly string[]): Promise<string> {
  const talker = await Talker.connect(port);
  for (const line of lines) talker.say(line);
  await talker.isDisconnected();
  return talker.text;
}

describe('a console', () => {
  needs('root');

  it('serves root while other users have all the connections that they may have', async () => {
    await open();
    const one = stranger(MALLORY, { count: 64, say: 'help\n' });
    await until(
      'the excess connections are closed',
      () => one.filter(({ how }) => how === 'closed').length === 40,
    );
    expect(served(one)).toBe(24);
    for (const { heard } of one.filter(({ how }) => how === 'closed'))
      expect(heard).toBe(
        `ERROR: user ${MALLORY} has 24 clients connected already, the most that one user may have\r\n`,
      );
    const other = stranger(TRUDY, { count: 24 });
    await until('all are served', () => served(other) === 24);
    const third = stranger(CAROL, { count: 1, say: 'mptcp status\n' });
    await until('the connection is closed', () => third.some(({ how }) => how === 'closed'));
    expect(third.at(-1)?.heard).toBe(
      'ERROR: 48 clients are connected already, and the other 16 connections are reserved for root\r\n',
    );
    expect((await talk(address.socket, 'mptcp status')).join('\n')).toContain('1 session');
  });

  it('on TCP without a password serves only users who may write to its socket', async () => {
    const port = await freePort();
    await open({ mode: 0o660, group: 'nogroup', listen: { host: '127.0.0.1', port } });
    const heard = stranger(MALLORY, { where: port, count: 1, say: 'signal SIGTERM\n' });
    await until('the connection is closed', () => heard.some(({ how }) => how === 'closed'));
    expect(heard.at(-1)?.heard).toBe(
      `ERROR: user ${MALLORY} may not use this console: be root, or of group nogroup, or have ` +
        'console-password-file set\r\n',
    );
    // The user nobody is in the group nogroup.
    const nobody = stranger(65_534, { where: port, count: 1, say: 'exit\n' });
    await until('it is served', () => served(nobody) === 1);
    expect(await sendOnTcp(port, 'mptcp status', 'exit')).toContain('1 session');
  });

  describe('on TCP with a password', () => {
    let port: number;

    beforeEach(async () => {
      port = await freePort();
      const passwordFile = join(directory, 'password');
      writeFileSync(passwordFile, `${PASSWORD}\n`);
      await open({ listen: { host: '127.0.0.1', port }, passwordFile });
    });

    it('slows down and reports a user who tries many passwords, and still serves other users', async () => {
      const heard = stranger(MALLORY, { where: port, count: 16, say: 'guess\n', again: true });
      await until('the user is slowed down', () =>
        heard.some((each) => each.heard.includes('have not given the password yet')),
      );
      // For these 5 s the other user keeps trying.
      const deadline = performance.now() + 5_000;
      let times = 0;
      while (performance.now() < deadline) {
        const said = await sendOnTcp(port, PASSWORD, 'mptcp status', 'exit');
        expect(said).toContain('SUCCESS: password is correct');
        expect(said).toContain('1 session');
        times += 1;
      }
      expect(times).toBeGreaterThan(3);
      const checked = heard.filter((each) => each.heard.includes('bad password')).length;
      expect(checked).toBeGreaterThan(0);
      // The first three are checked at once; the next ones after 0.5 s, 1 s, 2 s, 4 s, and so on.
      expect(checked).toBeLessThan(40);
      expect(wrong).toEqual([`a wrong password from user ${MALLORY} of this host`]);
    });

    it('accepts the right one of a user who mistyped it twice', async () => {
      const said = await sendOnTcp(port, 'open sesam', 'open', PASSWORD, 'mptcp status', 'exit');
      expect(said.match(/ERROR: bad password/g)).toHaveLength(2);
      expect(said).toContain('1 session');
    });

    it('closes the connection if it does not get the password in time, also while tries are slowed down', async () => {
      await console?.close();
      const passwordFile = join(directory, 'password');
      await open({ listen: { host: '127.0.0.1', port }, passwordFile }, { ...CLIENT_LIMITS, admitMs: 1_500 });
      expect(await sendOnTcp(port)).toBe('ENTER PASSWORD:\r\nERROR: no password was given in time\r\n');
      expect(await sendOnTcp(port, '1', '2', '3')).toMatch(/ERROR: bad password\r\n$/);
      expect(await sendOnTcp(port, '4', '5')).toMatch(/ERROR: no password was given in time\r\n$/);
    });

    it('serves others while many connections have not given the password', async () => {
      const idle = stranger(MALLORY, { where: port, count: 200 });
      await until(
        'four connections are asked for the password',
        () => idle.filter(({ heard }) => heard === 'ENTER PASSWORD:').length === 4,
      );
      expect(await sendOnTcp(port, PASSWORD, 'exit')).toContain('SUCCESS');
      expect((await talk(address.socket, 'mptcp status')).join('\n')).toContain('1 session');
    });
  });
});
