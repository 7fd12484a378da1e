import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { attributeProcess, type ServerIdentity } from '../../../src/openvpn/attribution.js';
import { until } from '../../support/until.js';
import {
  directory,
  hangUp,
  listen,
  names,
  over,
  problems,
  processes,
  record,
  said,
  server,
  servers,
  shows,
  start,
} from './server-setup.js';

describe('a session for which the kernel shows no connection', () => {
  it('makes subflowd ask OpenVPN immediately and a few times more', async () => {
    said.clients = ['alice 192.0.2.1:1 7'];
    await listen();
    start(true, 600_000);
    await shows('100 alice 1 7');
    // no event shows that the reads after a join are over
    await sleep(1_500);
    const before = said.asked;
    const report = () => {
      server.handleMissing(server.sessions());
    };
    server.on('observe', report);
    report();
    await until('it is asked', () => said.asked > before, 2_000);
    // no event shows that there is no fourth request
    await sleep(6_000);
    expect(said.asked - before).toBe(3);
    expect(names()).toBe('100 alice 1 7');
    said.clients = [];
    server.handleMissing([]);
    report();
    await shows('');
  });

  it('is removed with its record after some seconds if it is over TCP and there is no management', async () => {
    start(false);
    const gone = record(1, 'gone', 100, ['protocols=tcp-server']);
    const kept = [
      record(2, 'over UDP', 100, ['protocols=udp']),
      record(3, 'one or the other', 100, ['protocols=udp tcp-server']),
      record(4, 'an earlier hook'),
      record(5, 'back again', 100, ['protocols=tcp-server']),
    ];
    await until('all are there', () => server.sessions().length === 5);
    let observations = 0;
    server.on('observe', () => {
      observations += 1;
      server.handleMissing(server.sessions());
    });
    server.handleMissing(server.sessions());
    await until('they are observed again', () => observations > 0);
    server.handleMissing(server.sessions().filter(({ commonName }) => commonName !== 'back again'));
    await until('it is removed', () => !existsSync(gone), 20_000);
    await until('it is dropped', () => server.sessions().length === 4);
    expect(kept.every((path) => existsSync(path))).toBe(true);
    expect(problems).toEqual([expect.stringMatching(/of "gone" at 192\.0\.2\.1:1: its connection is gone/)]);
  });
});

describe('a record with the same endpoint as a later one', () => {
  it('is removed if the process listens at one address', async () => {
    start(false);
    const stale = record(1, 'alice');
    await shows('100 alice 1 -');
    const path = record(1, 'bob', 100, ['time_unix=1700000009', 'protocols=tcp-server']);
    await shows('100 bob 1 -');
    expect([stale, path].map((file) => existsSync(file))).toEqual([false, true]);
  });

  it('is kept if the process listens at several addresses', async () => {
    start(false);
    const paths = ['1700000000', '1700000009'].map((time) =>
      record(1, `at ${time}`, 100, [`time_unix=${time}`, 'protocols=tcp-server tcp-server']),
    );
    await shows('100 at 1700000000 1 -; 100 at 1700000009 1 -');
    expect(paths.every((file) => existsSync(file))).toBe(true);
  });
});

describe('a problem', () => {
  it('is resolved when its cause is gone', async () => {
    start();
    await until('a problem', () => problems.length > 0);
    expect(problems[0]).toMatch(/not available: there is no such socket/);
    await listen();
    await until('it is over', () => over.length > 0);
    expect(over).toEqual(['management unreachable']);
    expect(server.status()).not.toHaveProperty('managementTrouble');
  });
});

describe('a server whose management disconnects', () => {
  it('keeps its sessions while the process lives, and reads new records', async () => {
    said.clients = ['alice 192.0.2.1:1 7', 'bob 192.0.2.1:2 8'];
    await listen();
    start();
    const path = record(1, 'alice');
    await shows('100 alice 1 7; 100 bob 2 8');
    hangUp();
    await until('it is lost', () => server.status().management === 'unreachable');
    record(3, 'carol');
    await shows('100 alice 1 7; 100 bob 2 8; 100 carol 3 -');
    rmSync(path);
    await shows('100 bob 2 8; 100 carol 3 -');
    expect(server.status().managementTrouble).toMatch(/not available/);
    processes.delete(100);
    await shows('');
    expect(server.pid).toBeUndefined();
  });

  it('forgets the old process when another one answers', async () => {
    said.clients = ['alice 192.0.2.1:1 7'];
    await listen();
    start();
    await shows('100 alice 1 7');
    hangUp();
    processes.set(200, { is: 'openvpn', euid: 0 });
    said.pid = 200;
    said.clients = ['alice 192.0.2.1:5 0'];
    await listen();
    await shows('200 alice 5 0');
    expect(server.pids()).toEqual([200]);
  });

  it('reports a process that is not OpenVPN, and shows no sessions of it', async () => {
    processes.set(300, { is: 'other', exe: '/usr/bin/evil' });
    said.pid = 300;
    said.clients = ['alice 192.0.2.1:1 7'];
    await listen();
    start();
    await until('a problem', () => problems.length > 0);
    // no event shows that nothing else follows: neither a second report nor a session
    await sleep(400);
    expect(problems).toEqual([
      `the management interface at ${join(directory, 'm')} reports that it is process 300, which is /usr/bin/evil`,
    ]);
    expect(server.sessions()).toEqual([]);
    expect(server.pids()).toEqual([]);
  });
});

describe('a server without management', () => {
  it('can be several processes', async () => {
    processes.set(101, { is: 'openvpn', euid: 0 });
    start(false);
    record(1, 'alice');
    record(1, 'bob', 101);
    await shows('100 alice 1 -; 101 bob 1 -');
    expect([...server.pids()].sort()).toEqual([100, 101]);
    processes.delete(100);
    await shows('101 bob 1 -');
    expect(problems).toEqual([]);
  });
});

describe('attributeProcess', () => {
  const a = { name: 'a', pid: 1 };
  const b = { name: 'b', pid: undefined };
  const c = { name: 'c', pid: undefined };

  it('finds the server with this PID, otherwise the only server without a known PID', () => {
    expect(attributeProcess(1, [a, b])).toEqual({ server: a });
    expect(attributeProcess(2, [a, b])).toEqual({ server: b });
    expect(attributeProcess(2, [a, b, c])).toEqual({ candidates: [b, c] });
    expect(attributeProcess(2, [a])).toEqual({ isForeign: true });
  });
});

describe('a fault of subflowd', () => {
  it('is a problem of its server until it is over, and the server keeps its sessions', async () => {
    start(false, 50);
    record(1, 'alice');
    await shows('100 alice 1 -');
    const faulty: ServerIdentity = {
      name: 'x',
      get pid(): number {
        throw new Error('no number');
      },
    };
    servers.add(faulty);
    record(2, 'bob');
    const reports = ['find out who is connected', 'read a record'].map(
      (what) => `s: cannot ${what} (a fault of subflowd; please report it): no number`,
    );
    await until('both are reported', () => reports.every((text) => problems.includes(text)));
    expect(names()).toBe('100 alice 1 -');
    servers.delete(faulty);
    record(3, 'carol');
    await shows('100 alice 1 -; 100 bob 2 -; 100 carol 3 -');
    const keys = ['fault read a record', 'fault find out who is connected'];
    await until('both are over', () => keys.every((key) => over.includes(key)));
    expect([...problems].sort()).toEqual(reports);
  });
});
