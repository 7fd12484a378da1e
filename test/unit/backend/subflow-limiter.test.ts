import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Connection } from '../../../src/model/connection.js';
import type { ExcessSubflows, SubflowLimits } from '../../../src/model/subflow-limits.js';
import type { LimitedNamespace } from '../../../src/backend/netlink/subflow-closer.js';
import { SubflowLimiter } from '../../../src/backend/netlink/subflow-limiter.js';
import type { FourTuple } from '../../../src/backend/netlink/path-manager.js';
import { EventType, readEvent } from '../../../src/backend/netlink/pm-event.js';
import { RequestSocket } from '../../../src/backend/netlink/socket.js';
import { TrackedServers } from '../../../src/backend/netlink/tracked-servers.js';
import { pathManagerEvent } from '../../support/pm-event.js';

const PID = 4321;
const TOKEN = 7;
const SERVER = { address: '192.168.110.2', port: 1194 };
const family = { id: 28, events: 9, commands: new Set<number>() };

/** What the kernel was asked to close, by the client's port; it closes everything. */
let closed: number[];
/** Errno of each answer; 0: none, it is done. */
let errno: number;
let lookedAgain: number;
let namespace: LimitedNamespace;
let limiter: SubflowLimiter;
let reports: ExcessSubflows[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  closed = [];
  errno = 0;
  lookedAgain = 0;
  reports = [];
  namespace = {
    isOpen: true,
    servers: new TrackedServers(),
    generic: new RequestSocket(() => {
      let waiting: Buffer | undefined;
      return {
        join: () => undefined,
        onReadable: () => undefined,
        close: () => undefined,
        // the client's port is the last attribute
        send: (bytes) => {
          closed.push(Buffer.from(bytes).readUInt16LE(bytes.length - 4));
          waiting = errno === 0 ? undefined : refusal(errno, Buffer.from(bytes).readUInt32LE(8));
        },
        receive: (out) => {
          const answer = waiting;
          waiting = undefined;
          return answer?.copy(out);
        },
      };
    }),
  };
  limiter = new SubflowLimiter(family, () => lookedAgain++);
  limiter.onExcess((excess) => reports.push(excess));
});
afterEach(() => {
  limiter.close();
  vi.useRealTimers();
});

function refusal(code: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.writeUInt32LE(36, 0);
  bytes.writeUInt16LE(2, 4);
  bytes.writeUInt32LE(sequence, 8);
  bytes.writeInt32LE(-code, 16);
  return bytes;
}

function ends(port: number): FourTuple {
  return { local: SERVER, remote: { address: '192.168.100.2', port } };
}

/** A connection that began with the subflow from port 1, and has one from each of these. */
function connection(...ports: readonly number[]): Connection {
  const wishes = { ours: 'active', peers: 'active', mpPrioPending: false } as const;
  const subflows = [1, ...ports].map((port) => ({ ...ends(port), ...wishes }));
  return { pid: PID, token: TOKEN, ...ends(1), subflows };
}

function limits(claimed = false): SubflowLimits {
  return { most: 8, mostUnclaimed: 2, claimed: new Map([[PID, new Set(claimed ? [TOKEN] : [])]]) };
}

/** Looks, and then says what the limits are, as the controller does. */
function look(seen: Connection, claimed = false): void {
  namespace.servers.getOrAdd(PID).storeObservation([seen], new Set([1194]));
  limiter.setLimits(limits(claimed), [namespace]);
}

/** Looks at a connection that was not there at the first look. */
function lookAtNew(seen: Connection, claimed = false): void {
  namespace.servers.getOrAdd(PID).storeObservation([], new Set([1194]));
  look(seen, claimed);
}

/** @returns whether it is news. */
function hear(type: number, port: number): boolean {
  const found = namespace.servers.findConnection(TOKEN);
  if (!found) throw new Error('there is no connection');
  return limiter.onEvent(
    namespace,
    found.server,
    found.connection,
    readEvent(pathManagerEvent(type, TOKEN, ends(port))),
  );
}
const join = (port: number) => hear(EventType.subflowEstablished, port);
const leave = (port: number) => hear(EventType.subflowClosed, port);

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

it('closes what joins to a connection that no session claims, from the third subflow on, and starts no look for it', async () => {
  lookAtNew(connection());
  expect(join(2)).toBe(true);
  for (let port = 10; port < 1_010; port++) expect(join(port)).toBe(false);
  await turns(100);
  expect(closed).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 10));
  // the kernel reports each that was closed: no news, either
  for (let port = 10; port < 1_010; port++) expect(leave(port)).toBe(false);
});

it('allows a session eight, and another one when one has left', async () => {
  lookAtNew(connection(), true);
  for (let port = 2; port <= 8; port++) expect(join(port)).toBe(true);
  expect(join(9)).toBe(false);
  expect(leave(9)).toBe(false);
  expect(leave(8)).toBe(true);
  expect(join(10)).toBe(true);
  await turns(2);
  expect(closed).toEqual([9]);
});

it('counts no subflow twice that the look has shown already', () => {
  lookAtNew(connection(2));
  expect(join(2)).toBe(true);
  expect(closed).toEqual([]);
});

it('closes what a look shows above the limit: the newest, and never the first', async () => {
  lookAtNew(connection(2));
  namespace.servers.getOrAdd(PID).storeObservation([connection(5, 4, 2)], new Set([1194]));
  limiter.setLimits(limits(), [namespace]);
  await turns(2);
  expect(closed.sort()).toEqual([4, 5]);
});

it('spares what was there before anybody looked up to a session’s limit: who it is may not be known yet', async () => {
  look(connection(2, 3, 4));
  await turns(2);
  expect(closed).toEqual([]);
  look(connection(2, 3, 4, 5, 6, 7, 8, 9));
  await turns(2);
  expect(closed).toHaveLength(1);
});

it('closes nothing before it is told limits', async () => {
  namespace.servers.getOrAdd(PID).storeObservation([connection()], new Set([1194]));
  for (let port = 2; port < 100; port++) expect(join(port)).toBe(true);
  await turns(2);
  expect(closed).toEqual([]);
});

it('leaves it to the next look where events were lost', async () => {
  lookAtNew(connection());
  namespace.servers.getOrAdd(PID).isStale = true;
  for (let port = 2; port < 100; port++) expect(join(port)).toBe(true);
  await turns(2);
  expect(closed).toEqual([]);
  look(connection(2, 3));
  await turns(2);
  expect(closed).toEqual([3]);
});

it('does a bounded part of the work between two turns of the event loop, and looks again for what it had no room for', async () => {
  lookAtNew(connection(...Array.from({ length: 10_000 }, (_, index) => index + 2)));
  let before = 0;
  let turn = 0;
  for (; closed.length < 4_096 && turn < 1_000; turn++) {
    expect(closed.length - before).toBeLessThanOrEqual(64);
    before = closed.length;
    await setImmediate();
  }
  await turns(3);
  expect(closed).toHaveLength(4_096);
  expect(lookedAgain).toBe(1);
});

it('shows a connection without what is above its limit, so that nothing is wished for that', () => {
  const many = connection(...Array.from({ length: 3_000 }, (_, index) => index + 2));
  lookAtNew(many, true);
  const server = namespace.servers.getOrAdd(PID);
  const kept = limiter.withoutExcess(namespace, server, many);
  expect(kept.subflows.map(({ remote }) => remote.port)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(limiter.withoutExcess(namespace, server, kept)).toBe(kept);
});

it('asks once for a subflow that waits to be closed, however many looks show it', async () => {
  lookAtNew(connection(2, 3, 4));
  look(connection(2, 3, 4));
  look(connection(2, 3, 4));
  await turns(3);
  expect(closed.sort()).toEqual([3, 4]);
});

it('tries once only to close subflows of a connection that the kernel manages itself', async () => {
  errno = 22;
  lookAtNew(connection(2, 3));
  await turns(2);
  expect(closed).toHaveLength(1);
  look(connection(2, 3));
  await turns(2);
  expect(closed).toHaveLength(1);
  expect(join(4)).toBe(true);
  const all = connection(2, 3, 4);
  expect(limiter.withoutExcess(namespace, namespace.servers.getOrAdd(PID), all)).toBe(all);
});

it('asks for an IPv4 subflow as an IPv6 one where there is none, and counts neither where there is none at all', async () => {
  errno = 3;
  lookAtNew(connection(2, 3));
  await turns(2);
  expect(closed).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reports).toEqual([]);
});

it('reports who it was, soon and then every ten seconds at most', async () => {
  lookAtNew(connection());
  join(2);
  const one = { pid: PID, client: ends(1).remote, token: TOKEN, limit: 2 };
  for (let port = 10; port < 20; port++) join(port);
  await turns(2);
  await vi.advanceTimersByTimeAsync(500);
  expect(reports).toEqual([{ closed: 10, connections: 1, worst: [{ ...one, closed: 10 }] }]);
  for (let second = 1; second <= 20; second++) {
    join(100 + second);
    await turns(2);
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(reports).toHaveLength(3);
  expect(reports.reduce((sum, { closed: count }) => sum + count, 0)).toBeGreaterThanOrEqual(29);
});
