import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { beforeEach, describe, expect, test } from 'vitest';
import { labScript } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import { hostNamespace } from '../lab/namespace.js';
import { needs } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { residentMiB } from '../lab/process-usage.js';
import { says } from '../lab/says.js';
import { command, statusOf, untilStatus } from '../lab/scenarios/scenario.js';
import { asService } from '../lab/service.js';
import { makeSidecarFiles, writeRules, type SidecarFiles } from '../lab/sidecar-files.js';
import { Sidecar } from '../lab/sidecar.js';
import { until } from '../support/until.js';

/** Most that the daemon may have had, MiB: what it takes is printed, and is far less. */
const MAX_MIB = 400;
const CONSOLE_CLIENTS = 64;
/** Large ones that each of them asks for. */
const ANSWERS = 16;
const RECORDS = 3_000;
const NOBODY = 65534;

let cleanup: Cleanup;

interface Daemon {
  readonly files: SidecarFiles;
  /** What stands in for OpenVPN. */
  readonly openvpn: ChildProcessByStdio<null, Readable, null>;
  /** The most memory that it has had, MiB. */
  readonly most: () => Promise<number>;
}

/** The daemon in the environment of its service, beside what stands in for an OpenVPN server. */
async function start(): Promise<Daemon> {
  const directory = await mkdtemp(path.join(tmpdir(), 'subflowd-memory-'));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const files = await makeSidecarFiles(directory, { backend: 'netlink' });
  await writeRules(files, figure6Paths, { '*': 'lte' });
  // what is taken for OpenVPN is a program of that name
  const program = path.join(directory, 'openvpn-at-length');
  await copyFile(process.execPath, program);
  const openvpn = spawn(program, [labScript('openvpn-at-length'), files.management], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanup.add(async () => {
    openvpn.kill('SIGKILL');
    await once(openvpn, 'exit');
  });
  await says(openvpn.stdout, 'listening');
  const sidecar = Sidecar.start(await asService(hostNamespace), files.config, `${files.config}.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'the server', ({ servers }) => servers.some(({ pids }) => pids.length === 1));
  return { files, openvpn, most: async () => (await residentMiB(sidecar.pid ?? 0)).most };
}

/** Connects, asks, and reads nothing. */
async function ask(console: string, lines: readonly string[]): Promise<Socket> {
  const socket = connect(console);
  socket.on('error', () => undefined).pause();
  await once(socket, 'connect');
  cleanup.add(() => Promise.resolve(socket.destroy()));
  socket.write(lines.map((line) => `${line}\n`).join(''));
  return socket;
}

/** Whether no client is connected to a unix socket. */
async function hasNoClients(socket: string): Promise<boolean> {
  const { stdout } = await execa('ss', ['-Hx', 'state', 'established', 'src', socket]);
  if (stdout === '') return true;
  await sleep(500);
  return false;
}

/** All that a client is told until it is hung up on. */
async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  // one that was reset is closed already
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

const figures = (before: number, after: number) =>
  `${before.toFixed(0)} MiB before, ${after.toFixed(0)} MiB at most`;

describe('the daemon keeps little', () => {
  needs('root');

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('of large answers that all clients of a console ask for, 16 different ones each, and do not read', async () => {
    const { files, most } = await start();
    const before = await most();
    const sockets: Socket[] = [];
    for (let client = 0; client < CONSOLE_CLIENTS; client++) {
      const lines = Array.from({ length: ANSWERS }, (_, n) => `test ${10_000 - (client * ANSWERS + n)}`);
      sockets.push(await ask(path.join(path.dirname(files.config), 'lab.sock'), lines));
    }
    // A client is disconnected when it has not read an answer for 30 s.
    await until(
      'all are disconnected',
      () => hasNoClients(path.join(path.dirname(files.config), 'lab.sock')),
      120_000,
    );
    const after = await most();
    await statusOf(files);
    // all were cut off, with what little was under way to them
    const texts = await Promise.all(sockets.map(readAll));
    const sentMib = texts.reduce((sum, { length }) => sum + length, 0) / 2 ** 20;
    console.log(`${figures(before, after)}; clients were sent ${sentMib.toFixed(0)} MiB`);
    expect(texts.filter((text) => text.split('\r\nEND\r\n').length > ANSWERS)).toEqual([]);
    expect(after).toBeLessThan(MAX_MIB);
  });

  test('of the variables of 3,000 clients that a management interface tells of', async () => {
    const { files, openvpn, most } = await start();
    const before = await most();
    openvpn.kill('SIGUSR2');
    await says(openvpn.stdout, 'all told');
    // what is asked behind it is answered behind it
    expect(
      await command({ ...files, console: path.join(path.dirname(files.config), 'lab.sock') }, 'pid'),
    ).toEqual([`pid=${openvpn.pid ?? 0}`]);
    await statusOf(files);
    const after = await most();
    console.log(figures(before, after));
    expect(after).toBeLessThan(MAX_MIB);
  });

  test('of 3,000 records as long as a hook may write them, and of as many longer ones', async () => {
    const { files, openvpn, most } = await start();
    const before = await most();
    const script = `
      const fs = require('node:fs');
      const [directory, pid] = process.argv.slice(1);
      const write = (port, length) => {
        const head = 'subflowd-event=1\\0daemon_pid=' + pid + '\\0trusted_ip=192.0.2.1\\0trusted_port=' + port +
          '\\0common_name=client' + port + '\\0UV=';
        fs.writeFileSync(directory + '/' + pid + '-192.0.2.1-' + port, head.padEnd(length - 5, 'x') + '\\0end\\0');
      };
      for (let n = 1; n <= ${RECORDS}; n++) { write(n, 8192); write(n + ${RECORDS}, 65536); }`;
    const directory = path.join(files.events, 'nobody');
    const writer = spawn(process.execPath, ['-e', script, directory, `${openvpn.pid ?? 0}`], {
      uid: NOBODY,
      gid: NOBODY,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    expect(await once(writer, 'exit')).toEqual([0, null]);
    // status does not have them, so all records are removed once they were read; what is too long is none
    await until('all were read', async () => (await readdir(directory)).length <= RECORDS, 180_000);
    await statusOf(files);
    const after = await most();
    console.log(figures(before, after));
    expect(after).toBeLessThan(MAX_MIB);
  });
});
