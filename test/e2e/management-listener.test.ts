import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerConfig } from '../../src/config/config.js';
import { SharedManagement } from '../../src/console/sharing/shared-management.js';
import { Servers } from '../../src/openvpn/servers.js';
import { needs } from '../lab/needs.js';
import { until } from '../support/until.js';

/** Of nobody on this host, and without a name. */
const STRANGER = 54321;

/** Listens as OpenVPN would, with a password, and prints what it is sent. */
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
let heard: string;
let problems: string[];

beforeEach(() => {
  directory = mkdtempSync('/run/subflowd-test-');
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'password'), 'open sesame\n', { mode: 0o600 });
  heard = '';
  problems = [];
});
afterEach(async () => {
  servers?.stop();
  servers = undefined;
  if (listener?.exitCode === null) {
    listener.kill('SIGKILL');
    await once(listener, 'exit');
  }
  rmSync(directory, { recursive: true });
});

/** Starts somebody who listens. @returns the port, or the path. */
async function listen(where: string, uid = STRANGER): Promise<string> {
  const { execPath } = process;
  listener = spawn(execPath, ['--eval', LISTENER, where], {
    uid,
    gid: uid,
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: '/',
  });
  listener.stdout?.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  return until('it listens', () => /\[listens (.*?)\]/.exec(heard)?.[1]);
}

/** Serves an OpenVPN that would be there, with an admin who types a secret at its console. */
function serve(config: Pick<ServerConfig, 'management' | 'managementUser'>): void {
  const events = join(directory, 'events');
  servers = new Servers([
    { name: 'office', events, passwordFile: join(directory, 'password'), ...config },
  ]).on('problem', (text) => problems.push(text));
  const management = servers.servers()[0]?.management;
  if (management === undefined) throw new Error('it has no management interface');
  const shared = new SharedManagement('office', management);
  const seat = shared.join(() => undefined);
  servers.start();
  shared.run(seat, 'password "Private Key" hunter2', () => undefined);
}

describe('who listens where OpenVPN should', () => {
  needs('root');

  it.each(['127.0.0.1', 'localhost'])(
    'is sent nothing if it is another user, at a port of %s',
    async (host) => {
      const port = await listen('0');
      serve({ management: { host, port: Number(port) } });
      const problem = await until('it is said', () => problems.find((text) => text.includes('user')));
      expect(problem).toContain(
        `the management interface at ${host}:${port} is not available: subflowd sends nothing there, because ` +
          `user ${STRANGER} listens there, but OpenVPN starts as root; to fix it: end that program or, if it is OpenVPN, ` +
          `set management-user = ${STRANGER} in its [openvpn] section`,
      );
      await until('it was connected to twice', () => heard.split('[connected]').length > 2);
      expect(heard.replace(/\[[^\]]*\]/g, '')).toBe('');
      expect(existsSync(join(directory, 'events', String(STRANGER)))).toBe(false);
    },
  );

  it('is sent nothing if it is another user, at a unix socket', async () => {
    const place = join(directory, 'theirs');
    mkdirSync(place);
    chownSync(place, STRANGER, STRANGER);
    const socket = await listen(join(place, 'm'));
    serve({ management: { socket } });
    const problem = await until('it is said', () => problems.find((text) => text.includes('user')));
    expect(problem).toContain(
      `user ${STRANGER} listens there, process ${listener?.pid ?? 0} (${process.execPath})`,
    );
    await until('it was connected to twice', () => heard.split('[connected]').length > 2);
    expect(heard.replace(/\[[^\]]*\]/g, '')).toBe('');
  });

  it('is sent nothing where it could have replaced the socket, though that is of root', async () => {
    const place = join(directory, 'theirs');
    mkdirSync(place);
    chownSync(place, STRANGER, STRANGER);
    const socket = await listen(join(place, 'm'));
    chownSync(socket, 0, 0);
    const link = join(directory, 'link');
    symlinkSync(socket, link);
    serve({ management: { socket: link } });
    await until('it is said', () => problems.some((text) => text.includes('listens there')));
    expect(heard.replace(/\[[^\]]*\]/g, '')).toBe('');
  });

  it('is OpenVPN where only root can have put the socket there, whoever it has become since', async () => {
    const place = join(directory, 'm');
    const other = join(directory, 'theirs');
    mkdirSync(other);
    chownSync(other, STRANGER, STRANGER);
    const socket = await listen(join(other, 'm'));
    // as if root had bound it: a hard link in a directory of root's, to a file of root's
    linkSync(socket, place);
    chownSync(place, 0, 0);
    serve({ management: { socket: place } });
    await until('the password comes', () => heard.includes('open sesame\n'));
  });

  it.each([String(STRANGER), 'nobody'])('may be the user that management-user names, %s', async (user) => {
    const port = await listen('0', user === 'nobody' ? 65534 : STRANGER);
    serve({ management: { host: '127.0.0.1', port: Number(port) }, managementUser: user });
    await until('the password comes', () => heard.includes('open sesame\n'));
  });

  it('may be root', async () => {
    const port = await listen('0', 0);
    serve({ management: { host: '127.0.0.1', port: Number(port) } });
    await until('the password comes', () => heard.includes('open sesame\n'));
  });

  it('is looked at anew each time', async () => {
    const port = await listen('0', 0);
    serve({ management: { host: '127.0.0.1', port: Number(port) } });
    await until('the password comes', () => heard.includes('open sesame\n'));
    listener?.kill('SIGKILL');
    heard = '';
    await until('its port is free', () => listener?.signalCode === 'SIGKILL');
    await listen(port);
    await until('it is said', () => problems.some((text) => text.includes(`user ${STRANGER} listens there`)));
    expect(heard.replace(/\[[^\]]*\]/g, '')).toBe('');
  });
});
