import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.js';
import {
  changes,
  directory,
  listen,
  names,
  sendMessage,
  problems,
  record,
  said,
  server,
  shows,
  start,
} from './server-setup.js';

describe('a server with hooks and management', () => {
  it('shows a recorded client immediately, and takes name and client ID from management', async () => {
    await listen();
    start();
    await until('it is connected', () => server.pid === 100);
    record(1, 'hook');
    await shows('100 hook 1 -');
    said.clients = ['management 192.0.2.1:1 7'];
    await shows('100 management 1 7');
    expect(problems).toEqual([]);
  });

  it('reads status once for a burst of joins and leaves', async () => {
    await listen();
    start();
    await until('it is connected', () => server.pid === 100);
    const count = 300;
    said.held = [];
    const paths = Array.from({ length: count }, (_, index) => record(index + 1, `client ${index}`));
    await until('all are there', () => server.sessions().length === count, 4_000);
    for (const path of paths) rmSync(path);
    await until('all are gone', () => server.sessions().length === 0, 4_000);
    expect(changes.length).toBeLessThan(count / 3);
    expect(problems).toEqual([]);
  });

  it('removes a client when a hook reports its disconnect, also if an earlier status lists it', async () => {
    said.clients = ['alice 192.0.2.1:1 7'];
    await listen();
    start();
    const path = record(1, 'alice');
    await shows('100 alice 1 7');
    said.held = [];
    await until('a status is asked for', () => (said.held?.length ?? 0) > 0);
    const late = said.held;
    said.clients = [];
    rmSync(path);
    await shows('');
    changes.length = 0;
    said.held = undefined;
    for (const answer of late) answer();
    const before = said.asked;
    await until('the late answer and one more were read', () => said.asked > before + 1);
    expect(changes).toEqual([]);
    // if a later status still lists the client, only the file was removed
    said.clients = ['alice 192.0.2.1:1 7'];
    await shows('100 alice 1 7');
  });

  it('keeps a record that management does not list yet, and removes one that it no longer lists', async () => {
    await listen();
    said.held = [];
    start();
    await until('a status is asked for', () => (said.held?.length ?? 0) > 0);
    const path = record(1, 'alice');
    await shows('100 alice 1 -');
    for (const answer of said.held.splice(0)) answer();
    await until('the answer was read, and the next status is asked for', () => (said.held?.length ?? 0) > 0);
    expect(names()).toBe('100 alice 1 -');
    const next = said.held;
    said.held = undefined;
    for (const answer of next) answer();
    await until('it is removed', () => !existsSync(path));
    await shows('');
    expect(problems).toEqual([
      expect.stringMatching(
        /100-192\.0\.2\.1-1" of "alice" at 192\.0\.2\.1:1: OpenVPN s does not list this client/,
      ),
    ]);
  });

  it('shows a client that management lists without a name as the hook recorded it', async () => {
    said.clients = ['UNDEF 192.0.2.1:1 7'];
    await listen();
    start();
    const path = record(1, '');
    await shows('100  1 -');
    const before = said.asked;
    await until('status was read twice more', () => said.asked > before + 2);
    expect(names()).toBe('100  1 -');
    expect(existsSync(path)).toBe(true);
  });

  it('reads real-time messages without a request', async () => {
    await listen();
    said.held = [];
    start();
    await until('it is connected', () => server.pid === 100);
    sendMessage(
      '>CLIENT:ESTABLISHED,9\r\n>CLIENT:ENV,daemon_pid=100\r\n>CLIENT:ENV,common_name=a "b" é\r\n' +
        '>CLIENT:ENV,trusted_ip6=2001:db8::9\r\n>CLIENT:ENV,trusted_port=4\r\n>CLIENT:ENV,END\r\n',
    );
    await shows('100 a "b" é 4 9');
    sendMessage('>CLIENT:DISCONNECT,9\r\n>CLIENT:ENV,END\r\n');
    await shows('');
  });

  it('takes the port of a client from the hook if status does not show it', async () => {
    said.clients = ['six 2001:db8::6 3'];
    await listen();
    start();
    await until('it is a session without a port', () => server.sessionsWithoutPort().length === 1);
    expect(server.sessions()).toEqual([]);
    const path = join(directory, 'events', 'root', '100-2001:db8::6-66');
    writeFileSync(
      path,
      'subflowd-event=1\0daemon_pid=100\0trusted_ip=2001:db8::6\0trusted_port=66\0time_unix=1700000000\0common_name=six\0end\0',
    );
    await shows('100 six 66 3');
    expect(server.sessionsWithoutPort()).toEqual([]);
    expect(problems).toEqual([]);
  });
});

describe('a server that serves UDP and TCP', () => {
  it('keeps two clients with the same endpoint apart, and removes only the one that disconnects', async () => {
    const [tcp, udp] = ['tcp4-server:192.0.2.1:1', 'udp4:192.0.2.1:1'];
    said.clients = [`alice ${tcp} 7`, `bob ${udp} 8 1700000009`];
    await listen();
    start();
    record(1, 'alice', 100, ['time_unix=1700000000', 'protocols=tcp-server udp']);
    const path = record(1, 'bob', 100, ['time_unix=1700000009', 'protocols=tcp-server udp']);
    await shows('100 alice 1 7; 100 bob 1 8');
    expect(server.sessions().map(({ protocol }) => protocol)).toEqual(['tcp', 'udp']);
    expect(server.status()).toMatchObject({ recorded: 2 });
    expect(server.status()).not.toHaveProperty('unrecorded');
    said.held = [];
    rmSync(path);
    await shows('100 alice 1 7');
    expect(problems).toEqual([]);
  });
});

describe('a client over UDP that floats', () => {
  it('keeps its record', async () => {
    said.clients = ['alice tcp4-server:192.0.2.1:1 7 1700000000', 'bob udp4:192.0.2.1:2 8 1700000009'];
    await listen();
    start();
    const both = 'protocols=tcp-server udp';
    const paths = [
      record(1, 'alice', 100, ['time_unix=1700000000', both, 'ifconfig_pool_remote_ip=10.8.0.2']),
      record(2, 'bob', 100, ['time_unix=1700000009', both, 'ifconfig_pool_remote_ip=10.8.0.2']),
    ];
    await shows('100 alice 1 7; 100 bob 2 8');
    said.clients = ['alice tcp4-server:192.0.2.1:1 7 1700000000', 'bob udp4:192.0.2.1:3 8 1700000009'];
    await shows('100 alice 1 7; 100 bob 3 8');
    const before = said.asked;
    await until('status was read again', () => said.asked > before + 1);
    expect(server.status()).toMatchObject({ recorded: 2 });
    expect(server.status()).not.toHaveProperty('unrecorded');
    expect(paths.every((path) => existsSync(path))).toBe(true);
    expect(problems).toEqual([]);
  });
});

describe('a client that OpenVPN lists and has not let in', () => {
  it('is shown as not let in until status has its address inside the tunnel', async () => {
    said.clients = ['alice 192.0.2.1:1 7', 'bob 192.0.2.1:2 8 refused'];
    await listen();
    start();
    await shows('100 alice 1 7; 100 bob 2 8');
    expect(server.sessions().map(({ notLetIn }) => notLetIn)).toEqual([undefined, true]);
    said.clients = ['alice 192.0.2.1:1 7', 'bob 192.0.2.1:2 8'];
    await until('it is let in', () => server.sessions().every(({ notLetIn }) => !notLetIn));
  });

  it('is shown as let in when OpenVPN reports ESTABLISHED, until a later status contradicts it', async () => {
    said.clients = ['bob 192.0.2.1:2 8 refused'];
    await listen();
    said.held = [];
    start(true, 60_000);
    await until('it is connected', () => server.pid === 100);
    sendMessage(
      '>CLIENT:ESTABLISHED,8\r\n>CLIENT:ENV,daemon_pid=100\r\n>CLIENT:ENV,common_name=bob\r\n' +
        '>CLIENT:ENV,trusted_ip=192.0.2.1\r\n>CLIENT:ENV,trusted_port=2\r\n' +
        '>CLIENT:ENV,ifconfig_pool_remote_ip=10.8.0.2\r\n>CLIENT:ENV,proto_1=tcp-server\r\n>CLIENT:ENV,END\r\n',
    );
    await shows('100 bob 2 8');
    expect(server.sessions()).toMatchObject([{ protocol: 'tcp', virtual: ['10.8.0.2'] }]);
    expect(server.sessions()[0]).not.toHaveProperty('notLetIn');
    const answers = said.held;
    said.held = undefined;
    for (const answer of answers) answer();
    await until('it is not let in', () => server.sessions()[0]?.notLetIn === true);
    expect(server.sessions()).toMatchObject([{ protocol: 'tcp', virtual: [] }]);
  });
});
