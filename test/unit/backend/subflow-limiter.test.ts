import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Connection } from '../../../src/model/connection.js';
import type { ExcessSubflows, SubflowLimits } from '../../../src/model/subflow-limits.js';
import type { LimitedNamespace } from '../../../src/backend/netlink/subflow-closer.js';
import { SubflowLimiter } from '../../../src/backend/netlink/subflow-limiter.js';
import type { FourTuple } from '../../../src/model/endpoint.js';
import { EventType, readEvent } from '../../../src/backend/netlink/pm-event.js';
import { RequestSocket } from '../../../src/backend/netlink/socket.js';
import { TrackedServers } from '../../../src/backend/netlink/tracked-servers.js';
import { pathManagerEvent } from '../../support/pm-event.js';

const PID = 4321;
const TOKEN = 7;
const SERVER = { address: '192.168.110.2', port: 1194 };
const family = { id: 28, events: 9, commands: new Set<number>() };

/** Client ports of the subflows that the kernel was asked to close. This fake kernel closes them all. */
let closed: number[];
/** Errno of each answer; 0: success without an answer. */
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
        // the last attribute has the client's port
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

/** A connection with the initial subflow from port 1, and one from each of these ports. */
function connection(...ports: readonly number[]): Connection {
  const priorities = { ours: 'active', peers: 'active', mpPrioPending: false } as const;
  const subflows = [1, ...ports].map((port) => ({ ...ends(port), ...priorities }));
  return { pid: PID, token: TOKEN, ...ends(1), subflows };
}

function limits(claimed = false): SubflowLimits {
  return {
    withSession: 8,
    withoutSession: 2,
    sessionTokens: new Map([[PID, new Set(claimed ? [TOKEN] : [])]]),
  };
}

/** Stores an observation and then sets limits, as the controller does. */
function look(seen: Connection, claimed = false): void {
  namespace.servers.getOrAdd(PID).storeObservation([seen], new Set([1194]));
  limiter.setLimits(limits(claimed), [namespace]);
}

/** Observes a connection that was not in the first observation. */
function lookAtNew(seen: Connection, claimed = false): void {
  namespace.servers.getOrAdd(PID).storeObservation([], new Set([1194]));
  look(seen, claimed);
}

/** @returns whether the event makes an observation necessary. */
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

it('closes subflows of a connection without a session from the third on, and causes no observation', async () => {
  lookAtNew(connection());
  expect(join(2)).toBe(true);
  for (let port = 10; port < 1_010; port++) expect(join(port)).toBe(false);
  await turns(100);
  expect(closed).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 10));
  // the kernel reports each closed subflow, which needs no observation either
  for (let port = 10; port < 1_010; port++) expect(leave(port)).toBe(false);
});

it('allows eight subflows with a session, and another one after one was removed', async () => {
  lookAtNew(connection(), true);
  for (let port = 2; port <= 8; port++) expect(join(port)).toBe(true);
  expect(join(9)).toBe(false);
  expect(leave(9)).toBe(false);
  expect(leave(8)).toBe(true);
  expect(join(10)).toBe(true);
  await turns(2);
  expect(closed).toEqual([9]);
});

it('does not count a subflow twice that the observation showed already', () => {
  lookAtNew(connection(2));
  expect(join(2)).toBe(true);
  expect(closed).toEqual([]);
});

it('closes the newest subflows if an observation shows more than the limit, and never the initial one', async () => {
  lookAtNew(connection(2));
  namespace.servers.getOrAdd(PID).storeObservation([connection(5, 4, 2)], new Set([1194]));
  limiter.setLimits(limits(), [namespace]);
  await turns(2);
  expect(closed.sort()).toEqual([4, 5]);
});

it('applies the larger limit to connections of the first observation, whose session may not be known yet', async () => {
  look(connection(2, 3, 4));
  await turns(2);
  expect(closed).toEqual([]);
  look(connection(2, 3, 4, 5, 6, 7, 8, 9));
  await turns(2);
  expect(closed).toHaveLength(1);
});

it('closes nothing before limits are set', async () => {
  namespace.servers.getOrAdd(PID).storeObservation([connection()], new Set([1194]));
  for (let port = 2; port < 100; port++) expect(join(port)).toBe(true);
  await turns(2);
  expect(closed).toEqual([]);
});

it('waits for the next observation if events were lost', async () => {
  lookAtNew(connection());
  namespace.servers.getOrAdd(PID).isStale = true;
  for (let port = 2; port < 100; port++) expect(join(port)).toBe(true);
  await turns(2);
  expect(closed).toEqual([]);
  look(connection(2, 3));
  await turns(2);
  expect(closed).toEqual([3]);
});

it('closes a bounded number in each turn of the event loop, and requests an observation for those that its queue had no room for', async () => {
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

it('shows a connection without its subflows above the limit, so that no priority is set for them', () => {
  const many = connection(...Array.from({ length: 3_000 }, (_, index) => index + 2));
  lookAtNew(many, true);
  const server = namespace.servers.getOrAdd(PID);
  const kept = limiter.withoutExcess(namespace, server, many);
  expect(kept.subflows.map(({ remote }) => remote.port)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(limiter.withoutExcess(namespace, server, kept)).toBe(kept);
});

it('keeps the same subflows when an observation shows those that wait to be closed', async () => {
  lookAtNew(connection());
  expect(join(2)).toBe(true);
  expect(join(3)).toBe(false);
  expect(join(4)).toBe(false);
  // The kernel lists sockets in no particular order.
  look(connection(4, 3, 2));
  await turns(3);
  expect(closed.sort()).toEqual([3, 4]);
});

it('asks once to close a subflow, however many observations show it meanwhile', async () => {
  lookAtNew(connection(2, 3, 4));
  look(connection(2, 3, 4));
  look(connection(2, 3, 4));
  await turns(3);
  expect(closed.sort()).toEqual([3, 4]);
});

it('tries only once to close subflows of a connection of the in-kernel path manager', async () => {
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

it('tries the IPv4-mapped address if there is no such IPv4 subflow, and counts nothing if neither exists', async () => {
  errno = 3;
  lookAtNew(connection(2, 3));
  await turns(2);
  expect(closed).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reports).toEqual([]);
});

it('reports the clients soon, and then at most every ten seconds', async () => {
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
