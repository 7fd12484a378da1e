import { expect, it } from 'vitest';
import type { PriorityRequest } from '../../../src/backend/backend.js';
import type { TcpSocket } from '../../../src/backend/netlink/diag.js';
import {
  setInPasses,
  type FoundSubflow,
  type ObservedServer,
} from '../../../src/backend/netlink/set-priorities.js';
import { RequestSocket } from '../../../src/backend/netlink/socket.js';
import { PID, SERVER, WIFI } from '../../support/alice.js';
import { PriorityKernel } from '../../support/priority-kernel.js';

const FAMILY = { id: 28, events: 9, commands: new Set<number>() };
const ADDRESS = '192.0.2.1';

/** A server whose connections have two subflows each: connection N the ports 2 N (backup) and 2 N + 1 (active). */
function serve(connections: number) {
  const kernel = new PriorityKernel();
  const server: ObservedServer = { namespace: kernel, userspacePm: new Map(), setSince: new Map() };
  const found = new Map<number, FoundSubflow>();
  for (let port = 2; port < 2 * connections + 2; port++) {
    const token = port >> 1;
    const ours = port % 2 === 0 ? 'backup' : 'active';
    kernel.subflows.set(port, { token, ours });
    const remote = { address: ADDRESS, port };
    const mptcp = { token, id: 0, ours, peers: 'active' } as const;
    const socket: TcpSocket = {
      local: SERVER,
      remote,
      device: 0,
      inode: 1,
      cookie: port,
      mptcp,
      counters: {},
    };
    const connection = { pid: PID, remote, local: SERVER, token, subflows: [] };
    found.set(port, { server, connection, socket });
  }
  const set = (...requests: readonly PriorityRequest[]) =>
    setInPasses(requests, FAMILY, ({ name }) => found.get(name.remote.port));
  return { kernel, server, set };
}

function request(port: number, priority: 'active' | 'backup'): PriorityRequest {
  const connection = { address: WIFI.address, port: port >> 1 };
  return { name: { pid: PID, connection, local: SERVER, remote: { address: ADDRESS, port } }, priority };
}

/** The switch of a connection from its second subflow to the first. */
function switchOf(connection: number): readonly [PriorityRequest, PriorityRequest] {
  return [request(2 * connection, 'active'), request(2 * connection + 1, 'backup')];
}

const outcomes = (results: readonly { readonly outcome: string }[]) => results.map(({ outcome }) => outcome);

it('sends the requests of 1,000 switches in at most 32 datagrams for each kind and pass', () => {
  const { kernel, set } = serve(1000);
  const requests = Array.from({ length: 1000 }, (_, at) => switchOf(at + 1)).flat();
  const results = set(...requests);
  expect(new Set(outcomes(results))).toEqual(new Set(['committed']));
  expect([...kernel.subflows.values()].filter(({ ours }) => ours === 'active')).toHaveLength(1000);
  expect(kernel.subflows.get(2)?.ours).toBe('active');
  // two passes of 1,000 requests, 64 in each datagram
  expect(kernel.datagrams).toEqual({ generic: 32, diag: 32 });
});

it('makes every subflow active before it makes another one backup', () => {
  const { kernel, set } = serve(2);
  set(...switchOf(1), ...switchOf(2));
  expect(kernel.set).toEqual([2, 4, 3, 5]);
});

it('does not try the other requests of a connection whose subflow cannot be made active', () => {
  const { kernel, set } = serve(2);
  kernel.subflows.delete(2);
  expect(outcomes(set(...switchOf(1), ...switchOf(2)))).toEqual([
    'gone',
    'not-tried',
    'committed',
    'committed',
  ]);
  expect(kernel.subflows.get(3)?.ours).toBe('active');
});

it('goes on after a request to backup that cannot be carried out', () => {
  const { kernel, set } = serve(1);
  kernel.subflows.delete(2);
  expect(outcomes(set(request(2, 'backup'), request(3, 'backup')))).toEqual(['gone', 'committed']);
});

it('sends no request for a subflow that already has the priority', () => {
  const { kernel, set } = serve(1);
  expect(outcomes(set(request(3, 'active')))).toEqual(['unchanged']);
  expect(kernel.datagrams.generic).toBe(0);
});

it('reports a subflow that the last observation did not show, and one whose port another connection has', () => {
  const { kernel, set } = serve(1);
  kernel.subflows.set(2, { token: 99, ours: 'backup' });
  expect(outcomes(set(request(2, 'active'), request(40, 'active')))).toEqual(['gone', 'gone']);
});

it('says that netlink cannot override the priority of a client', () => {
  const { kernel, set } = serve(1);
  kernel.subflows.set(2, { token: 1, ours: 'backup', peers: 'backup' });
  const [result] = set({ ...request(2, 'active'), overridePeer: true });
  expect(result).toMatchObject({ outcome: 'refused' });
  expect(JSON.stringify(result)).toContain('the client asks for backup');
});

it('refuses all requests of a server whose kernel cannot be asked', () => {
  const { set, server } = serve(1);
  const broken = new RequestSocket(() => {
    throw new Error('broken');
  });
  Object.assign(server.namespace, { generic: broken });
  expect(outcomes(set(...switchOf(1)))).toEqual(['refused', 'not-tried']);
});
