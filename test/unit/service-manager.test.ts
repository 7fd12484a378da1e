import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { ServiceManager } from '../../src/service-manager.js';
import { until } from '../support/until.js';

/** Binds a socket as systemd would, and prints each message on its own line. */
const SYSTEMD = `
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print("bound", flush=True)
while True: print(listener.recv(4096).decode().replace("\\n", " "), flush=True)
`;

it('notifies systemd when it is ready, that it is alive, and when it stops', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  const socket = join(directory, 'notify');
  const systemd = execa('python3', ['-c', SYSTEMD, socket], { reject: false });
  const heard: string[] = [];
  systemd.stdout.on('data', (data: Buffer) => heard.push(...data.toString().trim().split('\n')));
  await until('it listens', () => heard.includes('bound'));
  const manager = new ServiceManager({ ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' });
  manager.ready('serves office');
  await until('it is ready', () => heard.includes('READY=1 STATUS=serves office'));
  await until('it lives', () => heard.filter((line) => line.includes('WATCHDOG=1')).length >= 2);
  manager.stopping();
  await until('it stops', () => heard.some((line) => line.includes('STOPPING=1')));
  systemd.kill('SIGKILL');
  await systemd;
  rmSync(directory, { recursive: true });
});

it('starts no process without NOTIFY_SOCKET', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  writeFileSync(join(directory, 'systemd-notify'), `#!/bin/sh\n: >${directory}/started\n`, { mode: 0o755 });
  const manager = (socket: object) => new ServiceManager({ PATH: directory, ...socket });
  manager({}).ready('serves');
  // no event shows that no process starts
  await sleep(300);
  expect(existsSync(join(directory, 'started'))).toBe(false);
  manager({ NOTIFY_SOCKET: '/nowhere' }).ready('serves');
  await until('it is started where somebody does', () => existsSync(join(directory, 'started')));
  rmSync(directory, { recursive: true });
});

it('continues if no process can be started', async () => {
  // longer than execve(2) accepts; without enough memory Node throws as well
  const environment = { ...process.env, TOO_LONG: 'x'.repeat(1 << 20) };
  const manager = new ServiceManager({ ...environment, NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '20000' });
  manager.ready('serves');
  // the watchdog runs several times; an error there would end the process of this test
  await sleep(100);
  expect(() => {
    manager.stopping();
  }).not.toThrow();
});
