import { createServer } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Backend, PriorityRequest } from '../../../src/backend/backend.js';
import { encodeFrame } from '../../../src/helper/frames.js';
import { partsOf } from '../../../src/helper/parts-of.js';
import { ServerGuard } from '../../../src/helper/server-guard.js';
import { systemdUnitOf } from '../../../src/util/systemd-unit.js';
import type { Connection } from '../../../src/model/connection.js';
import { NoProcessError } from '../../../src/model/kernel-error.js';
import { until } from '../../support/until.js';
import { connectTo, socketPath, startHelper } from '../../support/helper-pair.js';

const pid = process.pid;
const local = { address: '192.0.2.1', port: 1194 };

function connection(token: number, bytesAcked = 1): Connection {
  const remote = { address: '192.168.100.2', port: 10_000 + token };
  const more = { address: '2001:db8:200::2', port: 20_000 + token };
  const subflow = { local, ours: 'active', peers: 'active', mpPrioPending: false, bytesAcked } as const;
  return {
    pid,
    remote,
    local,
    token,
    subflows: [
      { ...subflow, remote },
      { ...subflow, remote: more, id: 1 },
    ],
  };
}

function fake(connections: () => readonly Connection[]) {
  return {
    name: 'netlink',
    description: 'a fake',
    notifiesPeer: true,
    connections: vi.fn(() =>
      Promise.resolve({
        connections: connections(),
        plain: [
          { pid, remote: { address: '192.0.2.9', port: 9 }, fellBack: true as const, fellBackSince: 7 },
        ],
        problems: ['one'],
      }),
    ),
    setPriorities: vi.fn((requests: readonly PriorityRequest[]) =>
      Promise.resolve(requests.map(() => ({ outcome: 'committed' as const, isMpPrioRequested: true }))),
    ),
    trackServers: vi.fn(),
    onChange: vi.fn(),
    onExcess: vi.fn(),
    limitSubflows: vi.fn(),
    announce: vi.fn(() => ['not announced']),
    close: vi.fn(() => Promise.resolve()),
  } satisfies Backend;
}

it('shows what the helper sees; a connection that did not change is the same object', async () => {
  let all = Array.from({ length: 2_000 }, (_, token) => connection(token));
  const socket = socketPath();
  const its = fake(() => all);
  await startHelper(socket, its);
  const { backend, because } = await connectTo(socket);
  expect([backend.name, backend.notifiesPeer, because]).toEqual(['netlink', true, 'the test says so']);
  const first = await backend.connections(pid);
  expect(first).toEqual({
    connections: all,
    plain: (await its.connections()).plain,
    problems: ['one'],
  });
  // one left, one has other counters, one has fewer subflows, one is new
  const [, , , three] = all;
  all = [
    ...all.slice(1, 3),
    { ...(three as Connection), subflows: (three as Connection).subflows.slice(0, 1) },
    connection(4, 99),
    ...all.slice(5),
    { ...connection(5_000), caveat: 'a caveat' },
  ];
  const second = await backend.connections(pid);
  expect(second.connections).toEqual(all);
  expect(second.connections[0]).toBe(first.connections[1]);
  expect(second.connections.at(-2)).toBe(first.connections.at(-1));
});

it('passes priorities, limits and announcements on, and says nothing twice', async () => {
  const socket = socketPath();
  const its = fake(() => []);
  await startHelper(socket, its);
  const { backend } = await connectTo(socket);
  const requests = Array.from({ length: 5_000 }, (_, at): PriorityRequest => {
    const remote = { address: '192.168.100.2', port: 1 + Math.floor(at / 2) };
    return { name: { pid, connection: remote, local, remote }, priority: 'backup', overridePeer: false };
  });
  expect((await backend.setPriorities(requests)).length).toBe(5_000);
  expect(its.setPriorities.mock.calls.flatMap(([part]) => part)).toEqual(requests);
  const limits = { withSession: 8, withoutSession: 2, sessionTokens: new Map([[pid, new Set([1, 2])]]) };
  for (let times = 0; times < 3; times++) {
    backend.limitSubflows?.(limits);
    backend.trackServers([pid]);
    backend.announce?.([{ pid, token: 1, addresses: ['192.0.2.5'] }]);
  }
  await until('the helper announced', () => its.announce.mock.calls.length > 0);
  await until('the answer came', () => backend.announce?.([]).length === 1);
  expect(its.limitSubflows.mock.calls).toEqual([[limits]]);
  expect(its.trackServers.mock.calls).toEqual([[[pid]]]);
});

it('keeps the requests of one connection in one message', () => {
  const request = (port: number): PriorityRequest => {
    const remote = { address: '192.168.100.2', port };
    return { name: { pid, connection: remote, local, remote }, priority: 'backup' };
  };
  const parts = partsOf([...Array<number>(2_040).fill(1), ...Array<number>(20).fill(2)].map(request));
  expect(parts.map((part) => part.length)).toEqual([2_040, 20]);
});

it('reports errors of the helper as they are there', async () => {
  const socket = socketPath();
  const its = fake(() => []);
  await startHelper(socket, its, [], new ServerGuard());
  const { backend } = await connectTo(socket);
  await expect(backend.connections(pid)).rejects.toThrow(/^task: process \d+ is .*, not OpenVPN/);
  await expect(backend.connections(4_000_000)).rejects.toBeInstanceOf(NoProcessError);
  const remote = { address: '192.168.100.2', port: 1 };
  const refused = await backend.setPriorities([
    { name: { pid, connection: remote, local, remote }, priority: 'backup' },
  ]);
  expect(refused).toMatchObject([{ outcome: 'refused' }]);
  expect(its.setPriorities).toHaveBeenCalledExactlyOnceWith([]);
  expect(its.connections).not.toHaveBeenCalled();
});

it('watches a server as soon as it listens, and shows nothing of a process that does not', async () => {
  const socket = socketPath();
  const its = fake(() => [connection(1)]);
  let isListening = false;
  const guard = new ServerGuard(
    [],
    () => true,
    () => isListening,
  );
  await startHelper(socket, its, [], guard);
  const { backend } = await connectTo(socket);
  backend.trackServers([pid]);
  expect(await backend.connections(pid)).toEqual({ connections: [], plain: [], problems: [] });
  const remote = { address: '192.168.100.2', port: 1 };
  expect(
    await backend.setPriorities([{ name: { pid, connection: remote, local, remote }, priority: 'backup' }]),
  ).toMatchObject([{ outcome: 'refused', reason: 'the helper does not touch this process' }]);
  isListening = true;
  expect((await backend.connections(pid)).connections).toHaveLength(1);
  await backend.connections(pid);
  expect(its.trackServers.mock.calls).toEqual([[[]], [[pid]]]);
});

it('connects to the next helper, tells it the same, and reports both', async () => {
  const socket = socketPath();
  const helper = await startHelper(
    socket,
    fake(() => []),
  );
  const { backend, reported } = await connectTo(socket);
  backend.limitSubflows?.({ withSession: 8, withoutSession: 2, sessionTokens: new Map() });
  const changed = vi.fn();
  backend.onChange?.(changed);
  await helper.close();
  await until('it is reported', () => reported.length > 0);
  const next = fake(() => [connection(1)]);
  await startHelper(socket, next);
  // a request made meanwhile waits for it
  expect((await backend.connections(pid)).connections).toEqual([connection(1)]);
  expect(reported).toEqual([expect.stringContaining('every client stays as it is'), 'back']);
  expect(next.limitSubflows).toHaveBeenCalledTimes(1);
  expect(changed).toHaveBeenCalled();
});

it('without a daemon the helper keeps its backend open, and every connection has the larger limit', async () => {
  const socket = socketPath();
  const its = fake(() => []);
  await startHelper(socket, its);
  const { backend } = await connectTo(socket);
  backend.limitSubflows?.({ withSession: 8, withoutSession: 2, sessionTokens: new Map() });
  await until('the limits are there', () => its.limitSubflows.mock.calls.length > 0);
  await backend.close();
  await until('the helper noticed', () => its.limitSubflows.mock.calls.length > 1);
  expect(its.limitSubflows.mock.lastCall).toEqual([
    { withSession: 8, withoutSession: 8, sessionTokens: new Map() },
  ]);
  expect(its.close).not.toHaveBeenCalled();
  expect(its.setPriorities).not.toHaveBeenCalled();
});

it('ends a link that does not answer, and sets nothing', async () => {
  const socket = socketPath();
  let isSilent = false;
  const server = createServer((peer) => {
    peer.on('error', () => undefined);
    peer.on('data', () => {
      if (isSilent) return;
      isSilent = true;
      const opened = { name: 'netlink', description: '', notifiesPeer: true, because: '' };
      const can = { reportsChanges: true, limitsSubflows: true, announces: true };
      peer.write(encodeFrame({ id: 1, opened: { ...opened, ...can } }));
    });
  }).listen(socket);
  onTestFinished(() => void server.close());
  const { backend, reported } = await connectTo(socket, 100);
  await expect(backend.connections(pid)).rejects.toThrow('it has not answered for 0.1 s');
  expect(reported).toHaveLength(1);
});

it('finds the unit of a process', () => {
  expect(
    systemdUnitOf('0::/system.slice/system-openvpn\\x2dserver.slice/openvpn-server@office.service\n'),
  ).toBe('openvpn-server@office.service');
  expect(systemdUnitOf('12:cpu:/x\n1:name=systemd:/user.slice/session-1.scope\n')).toBe('session-1.scope');
  expect(systemdUnitOf('0::/\n')).toBeUndefined();
});
