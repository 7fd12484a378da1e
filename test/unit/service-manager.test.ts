import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { passedDescriptors, ServiceManager } from '../../src/service-manager.js';
import { says } from '../lab/says.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
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

it('does nothing without NOTIFY_SOCKET, and goes on if nobody receives', async () => {
  for (const socket of [{}, { NOTIFY_SOCKET: '/nowhere' }, { NOTIFY_SOCKET: `/${'long'.repeat(50)}` }]) {
    const manager = new ServiceManager({ ...socket, WATCHDOG_USEC: '20000' });
    manager.ready('serves');
    // the watchdog runs several times; an error there would end the process of this test
    await sleep(100);
    expect(() => {
      manager.stopping();
    }).not.toThrow();
  }
});

/** Binds a socket as systemd would, and says which file the descriptor of a message is. */
const KEEPER = `
import array, os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\\0" + sys.argv[1])
print("bound", flush=True)
text, control, _, _ = listener.recvmsg(4096, socket.CMSG_SPACE(4))
fd = array.array("i", control[0][2])[0]
print(text.decode().replace("\\n", " "), os.readlink(f"/proc/self/fd/{fd}"), flush=True)
`;

it('lets systemd keep a descriptor, also at an abstract address', async () => {
  const name = `subflowd-test-${process.pid}`;
  const file = join(temporaryDirectory(), 'kept');
  const systemd = execa('python3', ['-c', KEEPER, name], { reject: false, timeout: 20_000 });
  await says(systemd.stdout, 'bound');
  const fd = openSync(file, 'w');
  new ServiceManager({ NOTIFY_SOCKET: `@${name}` }).keep('path-manager', fd);
  const { stdout } = await systemd;
  closeSync(fd);
  expect(stdout).toBe(`bound\nFDSTORE=1 FDNAME=path-manager FDPOLL=0 ${file}`);
});

it('reads the names of the descriptors that systemd passes to this process', () => {
  const passed = (pid: number, count: string, names?: string) => [
    ...passedDescriptors({
      LISTEN_PID: `${pid}`,
      LISTEN_FDS: count,
      ...(names !== undefined && { LISTEN_FDNAMES: names }),
    }),
  ];
  expect(passed(process.pid, '2', 'subflowd-helper.socket:path-manager')).toEqual([
    ['subflowd-helper.socket', 3],
    ['path-manager', 4],
  ]);
  expect(passed(process.pid, '1')).toEqual([['unknown', 3]]);
  expect(passed(process.pid + 1, '2', 'a:b')).toEqual([]);
  expect(passed(process.pid, 'many')).toEqual([]);
});
