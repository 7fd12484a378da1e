import { expect, it } from 'vitest';
import type { Connection } from '../../../src/model/connection.js';
import type { Subflow } from '../../../src/model/subflow.js';
import { excessSubflows } from '../../../src/backend/netlink/excess.js';

const SERVER = { address: '192.168.110.2', port: 1194 };

/** A subflow from this port that has carried no data. */
function subflow(port: number, more: Partial<Subflow> = {}): Subflow {
  const remote = { address: '192.168.100.2', port };
  const priorities = { ours: 'active', peers: 'active', mpPrioPending: false } as const;
  return { local: SERVER, remote, ...priorities, bytesAcked: 0, bytesReceived: 0, ...more };
}

/** A connection with the initial subflow from port 1. */
function connection(...subflows: readonly Subflow[]): Connection {
  return { pid: 1, token: 7, local: SERVER, remote: { address: '192.168.100.2', port: 1 }, subflows };
}

function portsToClose(
  one: Connection,
  limit: number,
  before?: Connection,
  closing: readonly number[] = [],
): number[] {
  return excessSubflows(one, limit, before, ({ remote }) => closing.includes(remote.port))
    .map(({ remote }) => remote.port)
    .sort((a, b) => a - b);
}

it('closes no subflow up to the limit', () => {
  expect(portsToClose(connection(), 2)).toEqual([]);
  expect(portsToClose(connection(subflow(1)), 1)).toEqual([]);
  expect(portsToClose(connection(subflow(2), subflow(1)), 2)).toEqual([]);
});

it('closes all subflows above the limit, whatever they have carried', () => {
  const many = Array.from({ length: 5_000 }, (_, index) => subflow(index + 1, { bytesReceived: index }));
  const closed = portsToClose(connection(...many), 8);
  expect(closed).toHaveLength(4_992);
  expect(closed).not.toContain(1);
});

it('never closes the initial subflow, whatever its position and whatever the others have carried', () => {
  const busy = subflow(2, { bytesReceived: 100 });
  expect(portsToClose(connection(busy, subflow(3), subflow(1)), 1)).toEqual([2, 3]);
});

it('closes subflows that have carried no data before those that have', () => {
  const acknowledged = subflow(4, { bytesAcked: 1 });
  expect(portsToClose(connection(subflow(1), subflow(2), subflow(3), acknowledged), 2)).toEqual([2, 3]);
});

it('does not close the only active subflow, even if it has carried no data yet', () => {
  const waiting = [1, 2, 3].map((port) => subflow(port, { ours: 'backup' }));
  expect(portsToClose(connection(...waiting, subflow(4)), 2)).toEqual([2, 3]);
});

it('closes the newest of the subflows that have carried no data', () => {
  const before = connection(subflow(1), subflow(3));
  expect(portsToClose(connection(subflow(4), subflow(2), subflow(3), subflow(1)), 2, before)).toEqual([2, 4]);
});

it('treats a subflow without counters as one that has carried no data', () => {
  const unmeasured: Subflow = {
    local: SERVER,
    remote: { address: '10.0.0.1', port: 2 },
    ours: 'active',
    peers: 'active',
    mpPrioPending: false,
  };
  expect(portsToClose(connection(unmeasured, subflow(3, { bytesAcked: 9 }), subflow(1)), 2)).toEqual([2]);
});

it('does not keep a subflow that is being closed already, whatever it has carried', () => {
  const busy = subflow(2, { bytesReceived: 100 });
  const before = connection(subflow(1), busy);
  expect(portsToClose(connection(subflow(1), busy, subflow(3), subflow(4)), 2, before, [2])).toEqual([2, 4]);
});
