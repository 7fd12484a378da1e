import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CLIENT_LIMITS } from '../../../../src/console/listen/client-connection.js';
import { Console } from '../../../../src/console/listen/console.js';
import { SLOT_LIMITS } from '../../../../src/console/listen/client-slots.js';
import { MAX_TRIES } from '../../../../src/console/listen/password.js';
import { talk } from '../../../../src/console/terminal/talk.js';
import { Rejector, MAX_LEAVING } from '../../../../src/console/listen/rejector.js';
import { freePort } from '../../../support/free-port.js';
import { Talker } from '../../../support/talker.js';
import { until } from '../../../support/until.js';
import { Steered } from '../steered.js';

let directory: string;
let ends: (() => unknown)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-logins-'));
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(directory, { recursive: true });
});

/** Connects a client that never closes its end. */
async function stayer(target: string | number): Promise<Talker> {
  const peer = await Talker.connect(target, { allowHalfOpen: true });
  ends.push(() => {
    peer.close();
  });
  return peer;
}

/** Opens a console with a password on TCP. @returns its port. */
async function openWithPassword(limits = CLIENT_LIMITS): Promise<number> {
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, 'sesame\n');
  const listen = { host: '127.0.0.1', port: await freePort() };
  const daemon = new Steered(join(directory, 'overrides'), []);
  const place = { socket: join(directory, 'console'), mode: 0o600, listen, passwordFile };
  const console = await Console.open(place, { daemon }, limits);
  ends.push(() => console.close());
  return listen.port;
}

it('asks for the password three times on one connection', async () => {
  const peer = await stayer(await openWithPassword());
  peer.socket.write('guess\nguess\nguess\nsesame\n');
  await until('it is disconnected', () => peer.ended);
  expect(peer.text).toBe('ENTER PASSWORD:ERROR: bad password\r\n'.repeat(MAX_TRIES));
});

it('runs commands that are sent right after the password, even if the password is checked later', async () => {
  const port = await openWithPassword();
  const guesser = await stayer(port);
  guesser.socket.write('guess\nguess\nguess\n');
  await until('it is disconnected', () => guesser.ended);
  const peer = await stayer(port);
  peer.socket.write('sesame\nmptcp watch off\nmptcp watch\n');
  await until('all is answered', () => peer.text.split('\r\n').length > 4);
  expect(peer.text.split('\r\n')).toEqual([
    'ENTER PASSWORD:SUCCESS: password is correct',
    ">INFO:subflowd console -- type 'help' for the commands",
    'SUCCESS: real-time mptcp notification set to OFF',
    'SUCCESS: real-time mptcp notification set to ON',
    '',
  ]);
});

it('disconnects a client that gives no password in time', async () => {
  const peer = await stayer(await openWithPassword({ ...CLIENT_LIMITS, admitMs: 200 }));
  await until('it is disconnected', () => peer.ended);
  expect(peer.text).toBe('ENTER PASSWORD:\r\nERROR: no password was given in time\r\n');
});

it('admits 64 clients with the password, rejects one more, and admits another when one leaves', async () => {
  const port = await openWithPassword();
  const enter = async () => {
    const peer = await stayer(port);
    peer.socket.write('sesame\n');
    await until('an answer', () => /(?:SUCCESS|ERROR): .*\r\n/.test(peer.text));
    return peer;
  };
  const inside: Talker[] = [];
  for (let count = 0; count < SLOT_LIMITS.all; count++) inside.push(await enter());
  expect(inside.every(({ text }) => text.includes('SUCCESS: password is correct'))).toBe(true);
  expect((await enter()).text).toContain('ERROR: 64 clients are connected already');
  // the unix socket has its own slots
  expect(await talk(join(directory, 'console'), 'help')).not.toEqual([]);
  inside[0]?.socket.destroy();
  await until('the slot is free', async () => (await enter()).text.includes('SUCCESS'));
});

it('rejects 64 clients at a time with the reason, and disconnects more without one', async () => {
  const rejector = new Rejector(60_000);
  const path = join(directory, 'socket');
  const served: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(socket.on('error', () => undefined));
    rejector.reject(socket, 'no place');
  }).listen(path);
  ends.push(() => {
    for (const socket of served) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  const peers: Talker[] = [];
  for (let count = 0; count < MAX_LEAVING; count++) peers.push(await stayer(path));
  await until('all have the reason', () => peers.every(({ text }) => text === 'ERROR: no place\r\n'));
  const more = await stayer(path);
  await until('it is disconnected', () => more.ended);
  expect(more.text).toBe('');
  peers[0]?.socket.destroy();
  await until('there is room again', async () => {
    const late = await Talker.connect(path);
    await until('it is rejected', () => late.ended);
    return late.lines[0] === 'ERROR: no place';
  });
});
