import { expect, it, vi } from 'vitest';
import { Allowance } from '../../../src/helper/allowance.js';
import { ALLOWED } from '../../../src/helper/daemon-connection.js';
import { decodeConnections, encodeConnections } from '../../../src/helper/connection-list.js';
import { BadMessageError, FrameReader } from '../../../src/helper/frames.js';
import { BOUNDS } from '../../../src/helper/messages.js';
import { readRequest } from '../../../src/helper/read-request.js';

const endpoint = { address: '192.0.2.1', port: 1 };
const change = {
  name: { pid: 5, connection: endpoint, local: endpoint, remote: endpoint },
  priority: 'backup',
};
const announcement = { pid: 5, token: 1, addresses: [endpoint.address] };
const many = <Item>(item: Item, count: number) => Array<Item>(count).fill(item);

it.each([
  ['changes', BOUNDS.changes, (count: number) => ({ do: 'set', changes: many(change, count) })],
  ['processes', BOUNDS.pids, (count: number) => ({ do: 'watch', pids: many(5, count) })],
  [
    'announcements',
    BOUNDS.announcements,
    (count: number) => ({ do: 'announce', announcements: many(announcement, count) }),
  ],
  [
    'addresses in an announcement',
    BOUNDS.addresses,
    (count: number) => ({
      do: 'announce',
      announcements: [{ ...announcement, addresses: many(endpoint.address, count) }],
    }),
  ],
  [
    'subflows in a limit',
    BOUNDS.mostSubflows,
    (count: number) => ({ do: 'limit', withSession: count, withoutSession: 2, tokens: [] }),
  ],
])('a message has at most so many %s', (_what, most, make) => {
  expect(() => readRequest({ id: 1, ...make(most) })).not.toThrow();
  expect(() => readRequest({ id: 1, ...make(most + 1) })).toThrow(BadMessageError);
});

it('a message has at most 4 MiB', () => {
  const header = (length: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(length);
    return bytes;
  };
  const read = (length: number) => [...new FrameReader(BOUNDS.requestBytes).push(header(length))];
  expect(read(4 << 20)).toEqual([]);
  expect(() => read((4 << 20) + 1)).toThrow('are allowed');
});

it('an answer has at most 65,536 connections', () => {
  const connection = { pid: 5, remote: endpoint, local: endpoint, token: 1, subflows: [] };
  const items = [...encodeConnections([], [connection])];
  const decode = (count: number) => decodeConnections(5, [], many(items[0], count));
  expect(decode(BOUNDS.connections)).toHaveLength(BOUNDS.connections);
  expect(() => decode(BOUNDS.connections + 1)).toThrow('too many connections');
});

it.each([
  ['messages', ALLOWED.messages],
  ['changes', ALLOWED.changes],
])('a daemon may send a burst of %s, and then so many a second; more of them wait', async (_what, limit) => {
  vi.useFakeTimers();
  try {
    const allowance = new Allowance(limit.burst, limit.perSecond);
    await allowance.take(limit.burst);
    let isTaken = false;
    const next = allowance.take(limit.perSecond).then(() => (isTaken = true));
    await vi.advanceTimersByTimeAsync(990);
    expect(isTaken).toBe(false);
    await vi.advanceTimersByTimeAsync(20);
    await next;
  } finally {
    vi.useRealTimers();
  }
});
