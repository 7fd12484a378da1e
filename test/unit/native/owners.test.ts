import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Endpoint } from '../../../src/model/endpoint.js';
import { socketOwner } from '../../../src/native/socket-owner.js';
import { unixPeer } from '../../../src/native/unix-peer.js';

const uid = process.getuid?.();
const open: (Server | Socket)[] = [];

afterEach(() => {
  for (const one of open.splice(0)) {
    if ('destroy' in one) one.destroy();
    else one.close();
  }
});

async function pair(
  listen: string | { host: string; port: number },
): Promise<readonly [Socket, Socket, Server]> {
  const server = createServer().listen(listen as string);
  open.push(server);
  await once(server, 'listening');
  const address = server.address() as AddressInfo | string;
  const socket = typeof address === 'string' ? connect(address) : connect(address.port, address.address);
  open.push(socket);
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
    [Socket],
    unknown,
  ];
  open.push(accepted);
  return [socket, accepted, server];
}

function ends(socket: Socket): [Endpoint, Endpoint] {
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket;
  return [
    { address: localAddress, port: localPort },
    { address: remoteAddress, port: remotePort },
  ];
}

it('reports this process as the peer of both ends of a unix socket, and nothing after a close', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  const [socket, accepted] = await pair(join(directory, 'socket'));
  for (const end of [socket, accepted]) expect(unixPeer(end)).toMatchObject({ pid: process.pid, uid });
  socket.destroy();
  expect(unixPeer(socket)).toBeUndefined();
  rmSync(directory, { recursive: true });
});

it.each(['127.0.0.1', '::1'])(
  'finds the owner of a connected and of a listening socket of %s',
  async (host) => {
    const [socket, accepted, server] = await pair({ host, port: 0 });
    const { port } = server.address() as AddressInfo;
    for (const end of [socket, accepted]) {
      const [local, remote] = ends(end);
      expect(socketOwner(local, remote)).toMatchObject({ uid, isListening: false });
      expect(socketOwner(local, remote)?.inode).toBeGreaterThan(0);
    }
    const nobody = { address: host, port: 1 };
    const listener = socketOwner({ address: host, port }, nobody);
    expect(listener).toMatchObject({ uid, isListening: true });
    server.close();
    expect(socketOwner({ address: host, port }, nobody)).toBeUndefined();
    // after a close no process has the socket, until the kernel removes it
    const [local, remote] = ends(socket);
    socket.destroy();
    await once(socket, 'close');
    expect(socketOwner(local, remote)?.inode ?? 0).toBe(0);
  },
);

it('finds the owner of a dual-stack listener by an IPv4 address', async () => {
  const server = createServer().listen(0, '::');
  open.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const found = socketOwner({ address: '127.0.0.1', port }, { address: '127.0.0.1', port: 1 });
  expect(found).toMatchObject({ uid, isListening: true });
});
