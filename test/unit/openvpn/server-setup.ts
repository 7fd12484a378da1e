import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import type { ServerIdentity } from '../../../src/openvpn/attribution.js';
import { ensureEventsDirectory } from '../../../src/openvpn/records/events-directory.js';
import { HookRecords } from '../../../src/openvpn/records/hook-records.js';
import type { ProcessFacts } from '../../../src/openvpn/records/process.js';
import { Server } from '../../../src/openvpn/server.js';
import { Backoff } from '../../../src/util/backoff.js';
import { clientList } from '../../support/client-list.js';
import { AS_OPENVPN, FakeOpenvpn } from '../../support/fake-openvpn.js';
import { until } from '../../support/until.js';

// not timed: each wait has its own bound
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Of the current test: the events directory `events` and the management socket `m` are here. */
export let directory: string;
/** What the system reports of processes, by PID. Others are gone. */
export let processes: Map<number, ProcessFacts>;
export let problems: string[];
/** The keys of the problems that were resolved. */
export let over: string[];
/** The sessions after each change, as {@link names} returns them. */
export let changes: string[];
export let server: Server;
/** All servers: a test can add one. */
export let servers: Set<ServerIdentity>;

/** What OpenVPN reports. */
export let said: {
  pid: number;
  /** As {@link clientList} takes them. */
  clients: string[];
  /** Delayed answers to `status 3`; undefined: no delay. */
  held: (() => void)[] | undefined;
  /** Number of requests for `status 3`. */
  asked: number;
};
let events: HookRecords;
let fake: FakeOpenvpn | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-server-'));
  processes = new Map([[100, { is: 'openvpn', euid: 0 }]]);
  problems = [];
  changes = [];
  over = [];
  said = { pid: 100, clients: [], held: undefined, asked: 0 };
  ensureEventsDirectory(join(directory, 'events'));
});

afterEach(() => {
  server.stop();
  events.stop();
  hangUp();
  rmSync(directory, { recursive: true, force: true });
});

/** Ends OpenVPN's management interface. */
export function hangUp(): void {
  fake?.close();
  fake = undefined;
}

/** Starts OpenVPN's management interface. */
export async function listen(): Promise<void> {
  fake = await FakeOpenvpn.listen(join(directory, 'm'), {
    answer: (line, socket) => {
      if (line !== 'status 3') return AS_OPENVPN;
      said.asked += 1;
      // the clients at the request, also if the answer is delayed
      const text = clientList(said.clients).join('\r\n');
      const answer = (): void => void socket.write(`${text}\r\n`);
      if (said.held) said.held.push(answer);
      else answer();
      return undefined;
    },
  });
  fake.process.pid = said.pid;
}

/** Sends real-time messages. */
export function sendMessage(text: string): void {
  fake?.socket?.write(text);
}

/** Starts the server under test. @param managed whether it has a management interface. */
export function start(managed = true, pollMs = 300): void {
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

/** The sessions, each as `PID NAME PORT CLIENT-ID`. */
export function names(): string {
  return server
    .sessions()
    .map(({ pid, commonName, real, cid }) => `${pid} ${commonName} ${real.port} ${cid ?? '-'}`)
    .sort()
    .join('; ');
}

/** Waits until {@link names} is this. */
export async function shows(expected: string): Promise<void> {
  await until(expected, () => names() === expected, 4_000).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(names())}; problems: ${problems.join('; ')}`);
  });
}

/** Writes the record of a session, as the hook does. @returns its path. */
export function record(port: number, commonName: string, pid = 100, more: readonly string[] = []): string {
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
