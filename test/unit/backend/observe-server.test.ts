import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { descriptors, socketInodes } from '../../../src/backend/netlink/descriptors.js';
import { listeningSockets } from '../../../src/backend/netlink/diag.js';
import { NetworkNamespace } from '../../../src/backend/netlink/namespace.js';
import { observeServer, type ServerObservation } from '../../../src/backend/netlink/observe-server.js';
import { observeSockets } from '../../../src/backend/netlink/observe-sockets.js';
import { until } from '../../support/until.js';

const HOST = '127.0.0.1';
/** Prints the two ports that it listens on. Closes the second one on request. Sends back all data that it receives. */
const SERVER = `const net = require('node:net');
  const listen = () => net.createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '${HOST}');
  const [usual, other] = [listen(), listen()];
  process.once('SIGUSR2', () => other.close());
  let left = 2;
  for (const each of [usual, other])
    each.on('listening', () => --left || console.log(usual.address().port, other.address().port));`;
/** Connects to a port, and prints a line when it has received an answer. */
const CLIENT = `const socket = require('node:net').connect(Number(process.argv[1]), '${HOST}', () => socket.write('x'));
  socket.on('data', () => console.log('held'));`;

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Starts a program with MPTCP. @returns the process, and its first output. */
async function start(code: string, ...args: readonly string[]): Promise<[ChildProcess, string]> {
  const child = spawn('mptcpize', ['run', process.execPath, '-e', code, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  return [child, output.toString()];
}

// With TPROXY and sk_lookup a server also has connections on ports that it does not listen on.
it.each([
  ['after the listener of its port is closed', false],
  ['before it is closed, too', true],
])('finds a connection on a port that its server does not listen on, observed %s', async (_, isEarly) => {
  const [server, ports] = await start(SERVER);
  const [usual = 0, other = 0] = ports.split(' ').map(Number);
  const namespace = NetworkNamespace.openFor('self');
  try {
    const pid = server.pid ?? 0;
    const { diag } = namespace;
    const readSockets = () => {
      const inodes = socketInodes(descriptors(pid));
      const listeners = listeningSockets(diag).filter(({ inode }) => inodes.has(inode));
      return { inodes, where: { listeners, ports: new Set(listeners.map(({ port }) => port)) } };
    };
    let last: ServerObservation | undefined;
    const observeAgain = () => {
      const { inodes, where } = readSockets();
      last = observeServer(diag, pid, inodes, where, last);
      return {
        ports: last.ports,
        connectionsOn: last.connections.map(({ connection }) => connection.local.port),
      };
    };
    expect(observeAgain()).toEqual({ ports: new Set([usual, other]), connectionsOn: [] });
    const [client] = await start(CLIENT, `${other}`);
    if (isEarly) expect(observeAgain()).toEqual({ ports: new Set([usual, other]), connectionsOn: [other] });
    server.kill('SIGUSR2');
    await until('nobody listens there', () => !readSockets().where.ports.has(other));
    // Only on ports that it listens on are its sockets found without the last observation.
    const { inodes, where } = readSockets();
    expect(observeSockets(diag, pid, inodes, [], where).connections).toEqual([]);
    for (let count = 0; count < 3; count++)
      expect(observeAgain()).toEqual({ ports: undefined, connectionsOn: [other] });
    client.kill('SIGKILL');
    await until('it is gone', () => observeAgain().connectionsOn.length === 0);
    expect(observeAgain()).toEqual({ ports: new Set([usual]), connectionsOn: [] });
  } finally {
    namespace.close();
  }
});
