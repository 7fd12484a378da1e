import { execaSync } from 'execa';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from '../../src/model/connection.js';
import type { SubflowName } from '../../src/model/subflow.js';
import { NetlinkBackend } from '../../src/backend/netlink.js';
import { metaSockets } from '../../src/backend/netlink/diag.js';
import { NetworkNamespace } from '../../src/backend/netlink/namespace.js';
import { findPathManager } from '../../src/backend/netlink/path-manager.js';
import { loadAddon } from '../../src/native/addon.js';
import { labScript } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import { readCounters, rise } from '../lab/counters.js';
import type { Namespace } from '../lab/namespace.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { buildNetwork, type Network } from '../lab/network.js';
import { says } from '../lab/says.js';
import { until } from '../support/until.js';
import { setPriority } from '../support/set-priority.js';

const port = 4000;
const NETLINK_GENERIC = 16;

let cleanup: Cleanup;
let network: Network;
let client: Namespace;
let backend: NetlinkBackend;
let pid: number;

/** Starts a program of the lab under mptcpize. The child's PID is that of the program. */
function start(namespace: Namespace, ...args: readonly string[]) {
  const child = namespace.start('mptcpize', ['run', process.execPath, labScript('mptcp-peer'), ...args]);
  cleanup.add(async () => {
    child.kill('SIGKILL');
    await child;
  });
  return child;
}

/** Opens connections from the client. @returns ends them. */
async function hold(host: string, count: number): Promise<() => void> {
  const child = start(client, 'hold', host, `${port}`, `${count}`);
  await says(child.stdout, 'held');
  return () => child.kill('SIGKILL');
}

/** Resolves with the only connection of the server when it has this number of subflows. */
async function onlyConnection(subflows: number): Promise<Connection> {
  return until(`a connection with ${subflows} subflows`, async () => {
    const { connections } = await backend.connections(pid);
    const [only, ...others] = connections;
    return others.length === 0 && only?.subflows.length === subflows && only;
  });
}

function nameOf(
  { remote: connection }: Connection,
  subflow: Connection['subflows'][number] | undefined,
): SubflowName {
  if (!subflow) throw new Error('there is no such subflow');
  return { pid, connection, local: subflow.local, remote: subflow.remote };
}

/** Tokens of the established meta-sockets, as ss reports them, sorted. */
async function tokensOfSs(): Promise<string[]> {
  const { stdout } = await network.server.run('ss', ['-HMniO', 'state', 'established']);
  return [...stdout.matchAll(/ token:([0-9a-f]+)/g)].map(([, token = '']) => token.padStart(8, '0')).sort();
}

describe('the netlink backend', () => {
  needs(...networkNeeds);

  beforeEach(async () => {
    cleanup = new Cleanup();
    network = await buildNetwork(cleanup);
    client = (network.clients[0] as Network['clients'][number]).namespace;
    await network.server.sysctl({ 'net.mptcp.pm_type': 1 });
    const server = start(network.server, 'serve', `${port}`);
    pid = server.pid as number;
    await says(server.stdout, 'listening');
    backend = await NetlinkBackend.open();
    cleanup.add(() => backend.close());
    backend.trackServers([pid]);
    return () => cleanup.run();
  });

  // The server listens on [::], so the kernel has IPv4-mapped addresses for an IPv4 client.
  test.each([
    ['IPv4', 'v4'],
    ['IPv6', 'v6'],
  ] as const)('observes a connection over %s, sets each priority and reads it back', async (_, family) => {
    await hold(network.serverAddress[family], 1);
    const connection = await onlyConnection(2);
    const addresses = network.clients[0]?.addresses;
    expect(connection.remote.address).toBe(addresses?.wifi?.[family]);
    expect(connection.local).toEqual({ address: network.serverAddress[family], port });
    expect(connection).not.toHaveProperty('caveat');
    const [lte, wifi] = [...connection.subflows].sort((a, b) => (b.id ?? 0) - (a.id ?? 0));
    expect(wifi).toMatchObject({ id: 0, local: connection.local, remote: connection.remote });
    expect(wifi).toMatchObject({ ours: 'active', peers: 'active', mpPrioPending: false });
    expect(lte?.remote.address).toBe(addresses?.lte?.[family]);
    expect(wifi?.rtt).toBeGreaterThan(0);
    expect(wifi?.bytesReceived).toBeGreaterThan(0);
    expect(wifi?.bytesAcked).toBeGreaterThan(0);

    const before = await readCounters(client);
    const committed = { outcome: 'committed', isMpPrioRequested: true };
    const wishes = async () => {
      const { subflows } = await onlyConnection(2);
      return Object.fromEntries(subflows.map(({ id, ours }) => [id, ours])) as Record<number, string>;
    };
    expect(await setPriority(backend, nameOf(connection, lte), 'backup')).toEqual(committed);
    expect(await wishes()).toEqual({ 0: 'active', [lte?.id ?? -1]: 'backup' });
    expect(await setPriority(backend, nameOf(connection, lte), 'backup')).toEqual({
      outcome: 'unchanged',
      isMpPrioRequested: false,
    });
    expect(await setPriority(backend, nameOf(connection, lte), 'active')).toEqual(committed);
    expect(await setPriority(backend, nameOf(connection, wifi), 'backup')).toEqual(committed);
    expect(await wishes()).toEqual({ 0: 'backup', [lte?.id ?? -1]: 'active' });
    await until(
      'the client has received all three',
      async () => rise('MPTcpExtMPPrioRx', before, await readCounters(client)) === 3,
    );
  });

  test('distinguishes the priority that the client asks for from ours', async () => {
    const lte = network.clients[0]?.addresses.lte?.v4 ?? '';
    await client.ip([`mptcp endpoint change ${lte} backup`]);
    await hold(network.serverAddress.v4, 1);
    const connection = await onlyConnection(2);
    const { subflows } = connection;
    const wishes = subflows.map(({ remote, ours, peers }) => [remote.address, ours, peers]);
    expect(wishes).toContainEqual([lte, 'active', 'backup']);
    const held = nameOf(
      connection,
      subflows.find(({ peers }) => peers === 'backup'),
    );
    expect(await setPriority(backend, held, 'active')).toMatchObject({ outcome: 'unchanged' });
    // the kernel has no call for it
    expect(await setPriority(backend, held, 'active', { overridePeer: true })).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('backend = devmem') as string,
    });
  });

  test('sets a priority that another program has changed since the last observation', async () => {
    await hold(network.serverAddress.v4, 1);
    const connection = await onlyConnection(2);
    const name = nameOf(connection, connection.subflows[1]);
    const other = await NetlinkBackend.open();
    cleanup.add(() => other.close());
    await other.connections(pid);
    const set = async (by: NetlinkBackend, priority: 'active' | 'backup') => {
      const { outcome } = await setPriority(by, name, priority);
      const now = (await other.connections(pid)).connections[0]?.subflows;
      const subflow = now?.find(({ remote }) => remote.address === name.remote.address);
      return [outcome, subflow?.ours];
    };
    expect(await set(backend, 'backup')).toEqual(['committed', 'backup']);
    expect(await set(other, 'active')).toEqual(['committed', 'active']);
    // it was backup in the last observation
    expect(await set(backend, 'backup')).toEqual(['committed', 'backup']);
    expect(await set(other, 'active')).toEqual(['committed', 'active']);
    // The last observation has backup, but another program has set active: it is set once more, and is known from then on.
    expect(await set(backend, 'active')).toEqual(['committed', 'active']);
    expect(await set(backend, 'active')).toEqual(['unchanged', 'active']);
  });

  test('does not observe sockets of other processes', async () => {
    await hold(network.serverAddress.v4, 1);
    await onlyConnection(2);
    expect(await backend.connections(process.pid)).toMatchObject({ connections: [] });
    const other = start(network.server, 'serve', `${port + 1}`);
    await says(other.stdout, 'listening');
    expect(await backend.connections(other.pid as number)).toEqual({
      connections: [],
      plain: [],
      problems: [],
    });
  });

  test('reports a connection over plain TCP as plain', async () => {
    const code = `require('node:net').connect(${port}, '${network.serverAddress.v4}', () => console.log('connected'))`;
    const child = client.start(process.execPath, ['-e', code]);
    cleanup.add(async () => {
      child.kill('SIGKILL');
      await child;
    });
    await says(child.stdout, 'connected');
    const { plain } = await until('it is accepted', async () => {
      const seen = await backend.connections(pid);
      return seen.plain.length > 0 && seen;
    });
    expect(plain).toEqual([
      {
        pid,
        remote: { address: network.clients[0]?.addresses.wifi?.v4, port: expect.any(Number) as number },
      },
    ]);
  });

  // TPROXY and sk_lookup give a server such connections too. They need tools that not every host has.
  test.each([
    ['after the listener of its port is closed', false],
    ['also before it is closed', true],
  ])('finds a connection on a port that its server does not listen on: observed %s', async (_, isEarly) => {
    const otherPort = port + 2;
    const listen = `const net = require('node:net');
      const echo = (socket) => socket.on('error', () => undefined).pipe(socket);
      const other = net.createServer(echo).listen(${otherPort}, '::');
      process.once('SIGUSR2', () => other.close());
      net.createServer(echo).listen(${port + 1}, '::', () => console.log('listening'));`;
    const server = network.server.start('mptcpize', ['run', process.execPath, '-e', listen]);
    cleanup.add(async () => {
      server.kill('SIGKILL');
      await server;
    });
    await says(server.stdout, 'listening');
    pid = server.pid as number;
    backend.trackServers([pid]);
    expect((await backend.connections(pid)).connections).toEqual([]);
    const held = start(client, 'hold', network.serverAddress.v4, `${otherPort}`, '1');
    await says(held.stdout, 'held');
    await until('it has two subflows', async () => {
      const ss = await network.server.run('ss', ['-Htn', 'state', 'established', 'sport', `:${otherPort}`]);
      return ss.stdout.split('\n').length === 2;
    });
    if (isEarly) await onlyConnection(2);
    server.kill('SIGUSR2');
    await until('the port has no listener', async () => {
      const ss = await network.server.run('ss', ['-Hltn', 'sport', `:${otherPort}`]);
      return ss.stdout === '';
    });

    for (const time of ['first', 'second', 'third']) {
      const { connections } = await backend.connections(pid);
      expect(connections, time).toMatchObject([{ local: { port: otherPort } }]);
      expect(connections[0]?.subflows, time).toHaveLength(2);
    }
    let calls = 0;
    backend.onChange(() => calls++);
    held.kill('SIGKILL');
    await until('it reports that the connection ended', () => calls > 0);
    await until(
      'the connection is gone',
      async () => (await backend.connections(pid)).connections.length === 0,
    );
    // The next observations are on the listening ports alone again.
    const usual = start(client, 'hold', network.serverAddress.v4, `${port + 1}`, '1');
    await says(usual.stdout, 'held');
    expect((await onlyConnection(2)).local.port).toBe(port + 1);
  });

  test('reports that a subflow, a connection, or a process is gone', async () => {
    const release = await hold(network.serverAddress.v4, 1);
    const connection = await onlyConnection(2);
    const lteAddress = network.clients[0]?.addresses.lte?.v4 ?? '';
    const lte = connection.subflows.find(({ remote }) => remote.address === lteAddress);
    const wifi = connection.subflows.find(({ remote }) => remote.address !== lteAddress);
    const gone = { outcome: 'gone', isMpPrioRequested: false };

    // There is no observation between the end of each and the attempt to set it.
    const { stdout } = await client.run('ip', ['mptcp', 'endpoint', 'show']);
    const id = new RegExp(`^${lteAddress} id (\\d+)`, 'm').exec(stdout)?.[1] ?? '';
    await client.ip([`mptcp endpoint delete id ${id}`]);
    await until('the subflow is closed', async () => {
      const ss = await network.server.run('ss', ['-Htn', 'state', 'established', 'dst', lteAddress]);
      return ss.stdout === '';
    });
    expect(await setPriority(backend, nameOf(connection, lte), 'backup')).toMatchObject(gone);
    expect(await setPriority(backend, nameOf(connection, wifi), 'backup')).toMatchObject({
      outcome: 'committed',
    });

    release();
    await until('the connection is closed', async () => {
      const ss = await network.server.run('ss', ['-Htn', 'state', 'established', 'sport', `:${port}`]);
      return ss.stdout === '';
    });
    expect(await setPriority(backend, nameOf(connection, wifi), 'active')).toMatchObject(gone);

    process.kill(pid, 'SIGKILL');
    await until('the process is gone', () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
    await expect(backend.connections(pid)).rejects.toThrow(`there is no process ${pid}`);
    expect(await setPriority(backend, nameOf(connection, wifi), 'active')).toMatchObject(gone);
  });

  test('reports each change, and misses no connection when the kernel drops events', async () => {
    let calls = 0;
    backend.onChange(() => calls++);
    const release = await hold(network.serverAddress.v4, 1);
    await until('it reports the connection', () => calls > 0);
    release();
    await until('it is gone', async () => (await tokensOfSs()).length === 0);
    await until('no more events arrive', async () => {
      const before = calls;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return calls === before;
    });

    // A second listener with a buffer of the same size shows that the kernel drops events.
    const namespace = NetworkNamespace.openFor(pid);
    cleanup.add(() => {
      namespace.close();
      return Promise.resolve();
    });
    const { events } = findPathManager(namespace.generic);
    const witness = await inNamespace(pid);
    cleanup.add(() => {
      witness.close();
      return Promise.resolve();
    });
    witness.join(events);

    await hold(network.serverAddress.v4, 20);
    const before = await readCounters(network.server);
    calls = 0;
    // This blocks the process, so it receives nothing meanwhile. Each connection causes three events.
    const storms = 3_500;
    execaSync('ip', [
      ...['netns', 'exec', client.name, 'mptcpize', 'run', process.execPath, labScript('mptcp-peer')],
      ...['storm', network.serverAddress.v4, `${port}`, `${storms}`],
    ]);
    await hold(network.serverAddress.v4, 20);
    expect(rise('MPTcpExtMPCapableSYNRX', before, await readCounters(network.server))).toBeGreaterThan(
      storms,
    );
    expect(() => witness.receive(new Uint8Array(64))).toThrow(
      expect.objectContaining({ code: 'ENOBUFS' }) as Error,
    );
    await until('it reports a change', () => calls > 0);
    // but not once for each event
    expect(calls).toBeLessThan(storms);
    await until('the storm is over', async () => (await tokensOfSs()).length === 40);
    const { connections, problems } = await backend.connections(pid);
    expect(problems).toEqual([]);
    expect(connections.map(({ token }) => token.toString(16).padStart(8, '0')).sort()).toEqual(
      await tokensOfSs(),
    );
    for (const { subflows } of connections) expect(subflows.length).toBeGreaterThan(0);

    // it hears on
    const heard = calls;
    await hold(network.serverAddress.v4, 1);
    await until('it heard of one more', () => calls > heard);
  }, 300_000);

  test('does not observe because of connections of other programs in the server’s namespace', async () => {
    let calls = 0;
    backend.onChange(() => calls++);
    const other = start(network.server, 'serve', `${port + 1}`);
    await says(other.stdout, 'listening');
    const strangers = start(client, 'hold', network.serverAddress.v4, `${port + 1}`, '200');
    await says(strangers.stdout, 'held');
    strangers.kill('SIGKILL');
    await until('theirs are gone', async () => (await tokensOfSs()).length === 0);
    expect(calls).toBe(0);
    // an event after all of theirs: those are heard by now
    await hold(network.serverAddress.v4, 1);
    await until('it heard of its own', () => calls > 0);
    expect((await onlyConnection(2)).local.port).toBe(port);
    expect(calls).toBeLessThan(20);
  });

  test('closes a namespace whose last process ended', async () => {
    await hold(network.serverAddress.v4, 1);
    await onlyConnection(2);
    const namespace = NetworkNamespace.openFor(pid);
    expect(metaSockets(namespace.diag)).toHaveLength(1);
    namespace.close();
    process.kill(pid, 'SIGKILL');
    const { stdout: inode } = await network.server.run('readlink', ['/proc/self/ns/net']);
    await until('its descriptors are closed', () => !ownNamespaceFiles().includes(inode), 30_000);
  });
});

async function inNamespace(of: number) {
  const { open } = await import('node:fs/promises');
  const file = await open(`/proc/${of}/ns/net`);
  try {
    const { NetlinkSocket } = loadAddon();
    return new NetlinkSocket(NETLINK_GENERIC, file.fd);
  } finally {
    await file.close();
  }
}

/** `net:[INODE]` of each network namespace that this process holds open. */
function ownNamespaceFiles(): string[] {
  const { stdout } = execaSync('sh', ['-c', `readlink /proc/${process.pid}/fd/*; true`]);
  return stdout.split('\n').filter((name) => name.startsWith('net:['));
}
