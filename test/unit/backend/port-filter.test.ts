// Reads this process's own sockets from the kernel, which needs no privileges.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { descriptors, socketInodes } from '../../../src/backend/netlink/descriptors.js';
import { listeningSockets, metaSockets, tcpSockets } from '../../../src/backend/netlink/diag.js';
import { MAX_PORTS } from '../../../src/backend/netlink/port-filter.js';
import { RequestSocket } from '../../../src/backend/netlink/socket.js';
import { loadAddon } from '../../../src/native/addon.js';

const NETLINK_SOCK_DIAG = 4;
const SERVERS = MAX_PORTS + 1;

const servers: Server[] = [];
const clients: Socket[] = [];
const accepted: Socket[] = [];
let ports: number[];
let received = 0;
let diag: RequestSocket;

beforeAll(async () => {
  const { NetlinkSocket } = loadAddon();
  diag = new RequestSocket(() => {
    const native = new NetlinkSocket(NETLINK_SOCK_DIAG, undefined);
    return {
      join: (group) => {
        native.join(group);
      },
      send: (bytes) => {
        native.send(bytes);
      },
      receive: (out) => {
        const length = native.receive(out);
        received += length ?? 0;
        return length;
      },
      onReadable: (callback) => {
        native.onReadable(callback);
      },
      close: () => {
        native.close();
      },
    };
  });
  for (let index = 0; index < SERVERS; index++) {
    // in both families
    const server = createServer((socket) => accepted.push(socket)).listen(
      0,
      index % 2 === 0 ? '127.0.0.1' : '::1',
    );
    servers.push(server);
    await once(server, 'listening');
    const { port, address } = server.address() as AddressInfo;
    const client = connect(port, address);
    await Promise.all([once(client, 'connect'), once(server, 'connection')]);
    clients.push(client);
  }
  ports = servers.map((server) => (server.address() as AddressInfo).port);
});
afterAll(() => {
  diag.close();
  for (const socket of [...clients, ...accepted]) socket.destroy();
  for (const server of servers) server.close();
});

/** Ports of this process's accepted sockets in a dump, in the order of the servers. */
function shown(wanted?: readonly number[]): number[] {
  const sockets = tcpSockets(diag, undefined, wanted && new Set(wanted));
  return ports.filter((port) => sockets.some(({ local }) => local.port === port));
}

it.each([1, 2, 3, 7, MAX_PORTS])('the kernel returns only sockets on %i ports', (count) => {
  const wanted = ports.slice(0, count);
  expect(shown(wanted)).toEqual(wanted);
  const sockets = tcpSockets(diag, undefined, new Set(wanted));
  expect(sockets.every(({ local }) => wanted.includes(local.port))).toBe(true);
  expect(metaSockets(diag, new Set(wanted))).toEqual([]);
});

it('there is no filter if a request has no room for all ports', () => {
  expect(shown(ports)).toEqual(ports);
  expect(shown()).toEqual(ports);
});

it('the kernel does not copy the other sockets', () => {
  received = 0;
  shown();
  const all = received;
  received = 0;
  shown(ports.slice(0, 1));
  // a socket takes about 300 bytes, the end of a dump 20 bytes for each family
  expect(received).toBeLessThan(all / 10);
});

it('finds the ports that a process listens on', () => {
  const inodes = socketInodes(descriptors(process.pid));
  const own = listeningSockets(diag).filter(({ inode }) => inodes.has(inode));
  for (const port of ports) expect(own.map((one) => one.port)).toContain(port);
});
