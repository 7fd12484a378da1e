import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerConfig } from '../../src/config/config.js';
import { SharedManagement } from '../../src/console/sharing/shared-management.js';
import { Servers } from '../../src/openvpn/servers.js';
import { needs } from '../lab/needs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

/** A user number that no account of this host has. */
const STRANGER = 54321;

/** Listens as OpenVPN would, asks for a password, and prints what it gets. */
const LISTENER = `
const { createServer } = require('node:net');
const [where] = process.argv.slice(1);
createServer((socket) => {
  process.stdout.write('[connected]');
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    process.stdout.write(data);
    socket.write('SUCCESS: password is correct\\r\\n>INFO:OpenVPN Management Interface Version 5\\r\\nSUCCESS: pid=' + process.pid + '\\r\\n');
  });
  socket.write('ENTER PASSWORD:');
}).listen(where.startsWith('/') ? where : { host: '127.0.0.1', port: Number(where) }, function () {
  const address = this.address();
  process.stdout.write('[listens ' + (address.port ?? address) + ']');
});
`;

let directory: string;
let servers: Servers | undefined;
let listener: ChildProcess | undefined;
/** What {@link LISTENER} printed so far. */
let output: string;
let problems: string[];

beforeEach(() => {
  directory = temporaryDirectory({ parent: '/run', mode: 0o755 });
  writeFileSync(join(directory, 'password'), 'open sesame\n', { mode: 0o600 });
  output = '';
  problems = [];
});
afterEach(async () => {
  servers?.stop();
  servers = undefined;
  if (listener?.exitCode === null) {
    listener.kill('SIGKILL');
    await once(listener, 'exit');
  }
});

/** Starts {@link LISTENER} as a user. @param where a path or a port; 0: any port. @returns its path or port. */
async function listen(where: string, uid = STRANGER): Promise<string> {
  listener = spawn(process.execPath, ['--eval', LISTENER, where], {
    uid,
    gid: uid,
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: '/',
  });
  listener.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return until('it listens', () => /\[listens (.*?)\]/.exec(output)?.[1]);
}

/** What {@link LISTENER} received: what it printed, without its own notes in brackets. */
function received(): string {
  return output.replace(/\[[^\]]*\]/g, '');
}

/** Makes a directory that belongs to another user. */
function makeForeignDirectory(): string {
  const foreign = join(directory, 'theirs');
  mkdirSync(foreign);
  chownSync(foreign, STRANGER, STRANGER);
  return foreign;
}

/** Connects subflowd to the management interface, and sends a secret from a console client. */
function connectTo(config: Pick<ServerConfig, 'management' | 'managementUser'>): void {
  const events = join(directory, 'events');
  servers = new Servers([
    { name: 'office', events, passwordFile: join(directory, 'password'), ...config },
  ]).on('problem', (text) => problems.push(text));
  const management = servers.servers()[0]?.management;
  if (management === undefined) throw new Error('it has no management interface');
  const shared = new SharedManagement('office', management);
  const client = shared.join(() => undefined);
  servers.start();
  shared.run(client, 'password "Private Key" hunter2', () => undefined);
}

describe('a program that listens at the management interface', () => {
  needs('root');

  it.each(['127.0.0.1', 'localhost'])(
    'gets nothing if it runs as another user, at a port of %s',
    async (host) => {
      const port = await listen('0');
      connectTo({ management: { host, port: Number(port) } });
      const problem = await until('the problem is reported', () =>
        problems.find((text) => text.includes('user')),
      );
      expect(problem).toContain(
        `the management interface at ${host}:${port} is not available: subflowd sends nothing there, because ` +
          `user ${STRANGER} listens there, but OpenVPN starts as root; to fix it: end that program or, if it is OpenVPN, ` +
          `set management-user = ${STRANGER} in its [openvpn] section`,
      );
      await until('subflowd has connected twice', () => output.split('[connected]').length > 2);
      expect(received()).toBe('');
      expect(existsSync(join(directory, 'events', String(STRANGER)))).toBe(false);
    },
  );

  it('gets nothing if it runs as another user, at a Unix socket', async () => {
    const socket = await listen(join(makeForeignDirectory(), 'm'));
    connectTo({ management: { socket } });
    const problem = await until('the problem is reported', () =>
      problems.find((text) => text.includes('user')),
    );
    expect(problem).toContain(
      `user ${STRANGER} listens there, process ${listener?.pid ?? 0} (${process.execPath})`,
    );
    await until('subflowd has connected twice', () => output.split('[connected]').length > 2);
    expect(received()).toBe('');
  });

  it('gets nothing if it could have replaced the socket, although root owns the socket', async () => {
    const socket = await listen(join(makeForeignDirectory(), 'm'));
    chownSync(socket, 0, 0);
    const link = join(directory, 'link');
    symlinkSync(socket, link);
    connectTo({ management: { socket: link } });
    await until('the problem is reported', () => problems.some((text) => text.includes('listens there')));
    expect(received()).toBe('');
  });

  it('gets the password if only root can have created the socket, although it runs as another user now', async () => {
    const socket = await listen(join(makeForeignDirectory(), 'm'));
    // A hard link in root's directory to root's file looks as if root had created the socket.
    const link = join(directory, 'm');
    linkSync(socket, link);
    chownSync(link, 0, 0);
    connectTo({ management: { socket: link } });
    await until('the password arrives', () => output.includes('open sesame\n'));
  });

  it.each([String(STRANGER), 'nobody'])(
    'gets the password if it runs as the user in management-user, %s',
    async (user) => {
      const port = await listen('0', user === 'nobody' ? 65534 : STRANGER);
      connectTo({ management: { host: '127.0.0.1', port: Number(port) }, managementUser: user });
      await until('the password arrives', () => output.includes('open sesame\n'));
    },
  );

  it('gets the password if it runs as root', async () => {
    const port = await listen('0', 0);
    connectTo({ management: { host: '127.0.0.1', port: Number(port) } });
    await until('the password arrives', () => output.includes('open sesame\n'));
  });

  it('is checked again at each connect', async () => {
    const port = await listen('0', 0);
    connectTo({ management: { host: '127.0.0.1', port: Number(port) } });
    await until('the password arrives', () => output.includes('open sesame\n'));
    listener?.kill('SIGKILL');
    output = '';
    await until('its port is free', () => listener?.signalCode === 'SIGKILL');
    await listen(port);
    await until('the problem is reported', () =>
      problems.some((text) => text.includes(`user ${STRANGER} listens there`)),
    );
    expect(received()).toBe('');
  });
});
