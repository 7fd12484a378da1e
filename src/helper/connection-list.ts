import type { Connection } from '../model/connection.js';
import type { Endpoint } from '../model/endpoint.js';
import { isSameEndpoint } from '../model/endpoint.js';
import type { Subflow } from '../model/subflow.js';
import { TCP_COUNTERS, type TcpCounterName } from '../model/tcp-counters.js';
import { readBoolean, readEndpoint, readInteger, readList, readText, readU32, readWord } from './fields.js';
import { BadMessageError } from './frames.js';
import { BOUNDS } from './messages.js';

/*
 * How the helper sends the connections of a process: only what differs from the last list that it sent of this process.
 * Each item of a list is one of:
 *
 *   ['k', FIRST, COUNT]           so many connections as before, from this index of the last list on
 *   ['c', INDEX, COUNTER...]      the connection at this index, of whose subflows only the counters changed
 *   ['n', FIELD...]               a new or changed connection
 */

const COUNTERS = Object.keys(TCP_COUNTERS) as TcpCounterName[];
const PRIORITIES = ['active', 'backup'] as const;

/** Items for the connections of a process, compared with the last list. */
export function* encodeConnections(
  before: readonly Connection[],
  now: readonly Connection[],
): Generator<readonly unknown[]> {
  const places = new Map(before.map((connection, index) => [connection.token, index]));
  let run: { first: number; count: number } | undefined;
  for (const connection of now) {
    const index = places.get(connection.token);
    const old = index === undefined ? undefined : before[index];
    if (index !== undefined && old !== undefined && hasSameShape(old, connection)) {
      if (old === connection || hasSameCounters(old, connection)) {
        if (run && run.first + run.count === index) run.count++;
        else {
          if (run) yield ['k', run.first, run.count];
          run = { first: index, count: 1 };
        }
        continue;
      }
      if (run) yield ['k', run.first, run.count];
      run = undefined;
      yield ['c', index, ...connection.subflows.flatMap(countersOf)];
      continue;
    }
    if (run) yield ['k', run.first, run.count];
    run = undefined;
    yield encodeNew(connection);
  }
  if (run) yield ['k', run.first, run.count];
}

function hasSameShape(one: Connection, other: Connection): boolean {
  if (one === other) return true;
  return (
    one.caveat === other.caveat &&
    isSameEndpoint(one.remote, other.remote) &&
    isSameEndpoint(one.local, other.local) &&
    one.subflows.length === other.subflows.length &&
    one.subflows.every((subflow, at) => {
      const now = other.subflows[at];
      return now !== undefined && (subflow === now || isSameSubflow(subflow, now));
    })
  );
}

function isSameSubflow(one: Subflow, other: Subflow): boolean {
  return (
    one.ours === other.ours &&
    one.peers === other.peers &&
    one.mpPrioPending === other.mpPrioPending &&
    one.id === other.id &&
    isSameEndpoint(one.local, other.local) &&
    isSameEndpoint(one.remote, other.remote)
  );
}

function hasSameCounters(one: Connection, other: Connection): boolean {
  return one.subflows.every((subflow, at) => {
    const now = other.subflows[at];
    return subflow === now || COUNTERS.every((name) => subflow[name] === now?.[name]);
  });
}

function countersOf(subflow: Subflow): (number | null)[] {
  return COUNTERS.map((name) => subflow[name] ?? null);
}

function encodeNew({ remote, local, token, caveat, subflows }: Connection): readonly unknown[] {
  return [
    'n',
    ...[remote.address, remote.port, local.address, local.port, token, caveat?.slice(0, BOUNDS.text) ?? null],
    ...subflows.map((subflow) => [
      ...[subflow.remote.address, subflow.remote.port, subflow.local.address, subflow.local.port],
      ...[subflow.ours, subflow.peers, subflow.mpPrioPending, subflow.id ?? null],
      ...countersOf(subflow),
    ]),
  ];
}

/**
 * The connections that items stand for. A connection that did not change is the object of the last list.
 * @throws {BadMessageError} if an item is wrong, or if there are too many connections.
 */
export function decodeConnections(
  pid: number,
  before: readonly Connection[],
  items: Iterable<unknown>,
): Connection[] {
  const now: Connection[] = [];
  for (const item of items) {
    const fields = readList(item, 'connection', 6 + BOUNDS.subflows * COUNTERS.length);
    switch (fields[0]) {
      case 'k': {
        const first = readInteger(fields[1], 'index', 0, before.length);
        const count = readInteger(fields[2], 'count', 1, before.length - first);
        for (const kept of before.slice(first, first + count)) now.push(kept);
        break;
      }
      case 'c': {
        const old = before[readInteger(fields[1], 'index', 0, before.length - 1)];
        if (old === undefined) throw new BadMessageError('a message has a wrong index');
        now.push(withCounters(old, fields));
        break;
      }
      case 'n':
        now.push(decodeNew(pid, fields));
        break;
      default:
        throw new BadMessageError('a message has a wrong connection');
    }
    if (now.length > BOUNDS.connections) throw new BadMessageError('a message has too many connections');
  }
  return now;
}

function withCounters(old: Connection, fields: readonly unknown[]): Connection {
  if (fields.length !== 2 + old.subflows.length * COUNTERS.length)
    throw new BadMessageError('a message has a wrong number of counters');
  return {
    ...old,
    subflows: old.subflows.map((subflow, at) => {
      const { local, remote, ours, peers, mpPrioPending, id } = subflow;
      const counters = readCounters(fields, 2 + at * COUNTERS.length);
      return { local, remote, ours, peers, mpPrioPending, ...(id !== undefined && { id }), ...counters };
    }),
  };
}

function readCounters(fields: readonly unknown[], from: number): Partial<Record<TcpCounterName, number>> {
  const counters: Partial<Record<TcpCounterName, number>> = {};
  for (const [at, name] of COUNTERS.entries()) {
    const value = fields[from + at];
    if (value !== null) counters[name] = readInteger(value, 'counter', 0, Number.MAX_SAFE_INTEGER);
  }
  return counters;
}

function decodeNew(pid: number, fields: readonly unknown[]): Connection {
  const [, address, port, ownAddress, ownPort, token, caveat, ...subflows] = fields;
  return {
    pid,
    remote: readEndpoint(address, port),
    local: readEndpoint(ownAddress, ownPort),
    token: readU32(token, 'token'),
    subflows: readList(subflows, 'subflows', BOUNDS.subflows).map(decodeSubflow),
    ...(caveat !== null && { caveat: readText(caveat, 'caveat', BOUNDS.text) }),
  };
}

function decodeSubflow(value: unknown): Subflow {
  const fields = readList(value, 'subflow', 8 + COUNTERS.length);
  if (fields.length !== 8 + COUNTERS.length) throw new BadMessageError('a message has a wrong subflow');
  const [address, port, ownAddress, ownPort, ours, peers, mpPrioPending, id] = fields;
  const remote: Endpoint = readEndpoint(address, port);
  return {
    local: readEndpoint(ownAddress, ownPort),
    remote,
    ours: readWord(ours, 'priority', PRIORITIES),
    peers: readWord(peers, 'priority', PRIORITIES),
    mpPrioPending: readBoolean(mpPrioPending, 'mpPrioPending'),
    ...(id !== null && { id: readInteger(id, 'address id', 0, 255) }),
    ...readCounters(fields, 8),
  };
}
