import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { attributeProcess, type ServerIdentity } from '../../../src/openvpn/attribution.js';
import { Backoff } from '../../../src/util/backoff.js';
import { ensureEventsDirectory } from '../../../src/openvpn/records/events-directory.js';
import { HookRecords } from '../../../src/openvpn/records/hook-records.js';
import type { ProcessFacts } from '../../../src/openvpn/records/process.js';
import { Server } from '../../../src/openvpn/server.js';
import { until } from '../../support/until.js';

// not timed: each wait has its own bound
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const HEADER =
  'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tConnected Since (time_t)\tClient ID\r\n';

let directory: string;
let processes: Map<number, ProcessFacts>;
let problems: string[];
let over: string[];
let changes: string[];
let listener: NetServer | undefined;
let peers: Socket[];
let server: Server;
let events: HookRecords;
let servers: Set<ServerIdentity>;

/** What OpenVPN reports: its PID, and clients as `NAME ADDRESS:PORT CID`, then optionally `refused` or when they connected. */
let said: { pid: number; clients: string[] };
/** Number of requests for `status 3`. */
let asked: number;
/** Delayed answers to `status 3`; undefined: no delay. */
let held: (() => void)[] | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-server-'));
  processes = new Map([[100, { is: 'openvpn', euid: 0 }]]);
  problems = [];
  changes = [];
  peers = [];
  said = { pid: 100, clients: [] };
  held = undefined;
  asked = 0;
  over = [];
  ensureEventsDirectory(join(directory, 'events'));
});

afterEach(async () => {
  server.stop();
  events.stop();
  hangUp();
  await sleep(0);
  rmSync(directory, { recursive: true, force: true });
});

function hangUp(): void {
  listener?.close();
  listener = undefined;
  for (const peer of peers) peer.destroy();
  peers = [];
}

async function listen(): Promise<void> {
  listener = createServer((socket) => {
    peers.push(socket);
    socket.on('error', () => undefined);
    socket.write('>INFO:OpenVPN Management Interface Version 5\r\n');
    socket.on('data', (data) => {
      for (const line of data.toString().split('\n')) {
        if (line === 'version') socket.write('OpenVPN Version: OpenVPN 2.6.14\r\nEND\r\n');
        if (line === 'pid') socket.write(`SUCCESS: pid=${said.pid}\r\n`);
        if (line === 'status 3') {
          asked += 1;
          // the clients at the request, also if the answer is delayed
          const rows = said.clients.map((client) => {
            const [name, real, cid, more = '1700000000'] = client.split(' ');
            const [virtual, since] = more === 'refused' ? ['', '1700000000'] : ['10.8.0.2', more];
            return `CLIENT_LIST\t${name}\t${real}\t${virtual}\t${since}\t${cid}\r\n`;
          });
          const answer = (): void => void socket.write(`${HEADER}${rows.join('')}END\r\n`);
          if (held) held.push(answer);
          else answer();
        }
      }
    });
  });
  listener.listen(join(directory, 'm'));
  await once(listener, 'listening');
}

function start(managed = true, pollMs = 300): void {
  const probe = (pid: number): ProcessFacts => processes.get(pid) ?? { is: 'gone' };
  events = new HookRecords(join(directory, 'events'), { probe, rescanMs: 200 });
  servers = new Set();
  server = new Server(
    {
      name: 's',
      events: events.directory,
      ...(managed && { management: { socket: join(directory, 'm') } }),
    },
    events,
    servers,
    { probe, pollMs, management: { backoff: new Backoff(20, 50) } },
  );
  servers.add(server);
  server
    .on('problem', (text) => problems.push(text))
    .on('resolved', (key) => over.push(key))
    .on('change', () => changes.push(names()));
  server.start();
  events.start();
}

function names(): string {
  return server
    .sessions()
    .map(({ pid, commonName, real, cid }) => `${pid} ${commonName} ${real.port} ${cid ?? '-'}`)
    .sort()
    .join('; ');
}

async function shows(expected: string): Promise<void> {
  await until(expected, () => names() === expected, 4_000).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(names())}; problems: ${problems.join('; ')}`);
  });
}

function record(port: number, commonName: string, pid = 100, more: readonly string[] = []): string {
  const [, time] = /^time_unix=(\d+)$/.exec(more[0] ?? '') ?? [];
  const suffix = time === undefined ? '' : `-${time}-`;
  const path = join(directory, 'events', 'root', `${pid}-192.0.2.1-${port}${suffix}`);
  const fields = [
    `daemon_pid=${pid}`,
    'trusted_ip=192.0.2.1',
    `trusted_port=${port}`,
    `common_name=${commonName}`,
  ];
  writeFileSync(path, ['subflowd-event=1', ...fields, ...more, 'end', ''].join('\0'));
  return path;
}

function sendMessage(text: string): void {
  for (const peer of peers) peer.write(text);
}

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
    held = [];
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
    held = [];
    await until('a status is asked for', () => (held?.length ?? 0) > 0);
    const late = held;
    said.clients = [];
    rmSync(path);
    await shows('');
    changes.length = 0;
    held = undefined;
    for (const answer of late) answer();
    await sleep(200);
    expect(changes).toEqual([]);
    // if a later status still lists the client, only the file was removed
    said.clients = ['alice 192.0.2.1:1 7'];
    await shows('100 alice 1 7');
  });

  it('keeps a record that management does not list yet, and removes one that it no longer lists', async () => {
    await listen();
    held = [];
    start();
    await until('a status is asked for', () => (held?.length ?? 0) > 0);
    const path = record(1, 'alice');
    await shows('100 alice 1 -');
    for (const answer of held.splice(0)) answer();
    await sleep(50);
    expect(names()).toBe('100 alice 1 -');
    held = undefined;
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
    await sleep(700);
    expect(names()).toBe('100  1 -');
    expect(existsSync(path)).toBe(true);
  });

  it('reads real-time messages without a request', async () => {
    await listen();
    held = [];
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
    held = [];
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
    const before = asked;
    await until('status was read again', () => asked > before + 1);
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
    held = [];
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
    const answers = held;
    held = undefined;
    for (const answer of answers) answer();
    await until('it is not let in', () => server.sessions()[0]?.notLetIn === true);
    expect(server.sessions()).toMatchObject([{ protocol: 'tcp', virtual: [] }]);
  });
});

describe('a session for which the kernel shows no connection', () => {
  it('makes subflowd ask OpenVPN immediately and a few times more', async () => {
    said.clients = ['alice 192.0.2.1:1 7'];
    await listen();
    start(true, 600_000);
    await shows('100 alice 1 7');
    await sleep(1_500);
    const before = asked;
    const report = () => {
      server.handleMissing(server.sessions());
    };
    server.on('observe', report);
    report();
    await until('it is asked', () => asked > before, 2_000);
    await sleep(6_000);
    expect(asked - before).toBe(3);
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
    server.on('observe', () => {
      server.handleMissing(server.sessions());
    });
    server.handleMissing(server.sessions());
    await sleep(2_000);
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
    said = { pid: 200, clients: ['alice 192.0.2.1:5 0'] };
    await listen();
    await shows('200 alice 5 0');
    expect(server.pids()).toEqual([200]);
  });

  it('reports a process that is not OpenVPN, and shows no sessions of it', async () => {
    processes.set(300, { is: 'other', exe: '/usr/bin/evil' });
    said = { pid: 300, clients: ['alice 192.0.2.1:1 7'] };
    await listen();
    start();
    await until('a problem', () => problems.length > 0);
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
