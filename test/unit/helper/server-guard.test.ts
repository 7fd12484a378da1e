import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { ServerGuard } from '../../../src/helper/server-guard.js';
import { startTime } from '../../../src/helper/is-serving.js';
import { NoProcessError } from '../../../src/model/kernel-error.js';

/** Starts a process that runs a script. It prints a line when it is ready. */
async function start(script: string): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child as ChildProcess & { readonly pid: number };
}

const LISTENS = "require('net').createServer().listen(0, '127.0.0.1', () => console.log('ready'));";
const CONNECTS = `
  const server = require('net').createServer().listen(0, '127.0.0.1', () => {
    const client = require('net').connect(server.address().port, '127.0.0.1', () => {
      server.close();
      setTimeout(() => console.log('ready'), 100);
    });
  });`;

it('refuses a process whose program is not OpenVPN', async () => {
  const { pid } = await start(LISTENS);
  const guard = new ServerGuard();
  expect(() => {
    guard.check(pid);
  }).toThrow(/^task: process \d+ is .*, not OpenVPN/);
  expect(guard.allows(pid)).toBe(false);
});

it('changes nothing for an OpenVPN that is a client: it has connections, but does not listen', async () => {
  const guard = new ServerGuard([], () => true);
  const [server, client] = await Promise.all([start(LISTENS), start(CONNECTS)]);
  expect(guard.allows(server.pid)).toBe(true);
  guard.check(client.pid);
  expect(guard.allows(client.pid)).toBe(false);
});

it('looks for the listening socket of a process once, but never of a later process with its PID', async () => {
  const { pid } = await start(LISTENS);
  const asked: number[] = [];
  const guard = new ServerGuard(
    [],
    () => true,
    (one) => asked.push(one) > 0,
  );
  for (let times = 0; times < 3; times++) expect(guard.isServing(pid)).toBe(true);
  expect(asked).toEqual([pid]);
  const other = await start(LISTENS);
  expect(guard.isServing(other.pid)).toBe(true);
  expect(asked).toEqual([pid, other.pid]);
  expect(startTime(pid)).toMatch(/^\d+$/);
});

it('refuses a process outside the units that the admin has named, and says how to name one', async () => {
  const { pid } = await start(LISTENS);
  const guard = new ServerGuard(['openvpn-server@*'], () => true);
  expect(() => {
    guard.check(pid);
  }).toThrow(`process ${pid} is not in a unit that the helper may touch`);
  expect(guard.allows(pid)).toBe(false);
});

it('reports a process that has ended', async () => {
  const child = await start(LISTENS);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(() => {
    new ServerGuard([], () => true).check(child.pid);
  }).toThrow(NoProcessError);
});
