// Runs under mptcpize in a namespace. `mptcp-peer serve PORT` accepts and keeps every connection. `mptcp-peer hold HOST PORT N`
// opens N connections and keeps them until it is killed. `mptcp-peer storm HOST PORT N [MS]` opens N, many at a time, and
// resets each after MS. `mptcp-peer visit HOST PORT N` opens N a second and closes each after an answer, until it is killed.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [role, ...rest] = process.argv.slice(2);
const atOnce = 50;

process.once('SIGTERM', () => process.exit(0));
if (role === 'serve') serve(Number(rest[0]));
else if (role === 'hold') await hold(rest[0] ?? '', Number(rest[1]), Number(rest[2]));
else if (role === 'visit') await visit(rest[0] ?? '', Number(rest[1]), Number(rest[2]));
else await storm(rest[0] ?? '', Number(rest[1]), Number(rest[2]), Number(rest[3] ?? 0));

function serve(port: number): void {
  const server = createServer((socket) => {
    // a client that ends its connection without a word has done what it came for
    socket.on('error', () => undefined).pipe(socket);
  });
  server.listen(port, '::', () => process.stdout.write('listening\n'));
}

async function hold(host: string, port: number, count: number): Promise<void> {
  await each(count, () => open(host, port));
  process.stdout.write('held\n');
}

async function storm(host: string, port: number, count: number, keepMs: number): Promise<void> {
  await each(count, async () => {
    const socket = await open(host, port);
    if (keepMs > 0) await sleep(keepMs);
    socket.resetAndDestroy();
  });
}

async function visit(host: string, port: number, perSecond: number): Promise<void> {
  for (;;) {
    const [visitor] = await Promise.all([open(host, port), sleep(1000 / perSecond)]);
    visitor.end();
  }
}

/** So many times, in `atOnce` flows. */
async function each(count: number, act: () => Promise<unknown>): Promise<void> {
  let left = count;
  const flow = async () => {
    while (left-- > 0) await act();
  };
  await Promise.all(Array.from({ length: atOnce }, flow));
}

/** Resolves when a byte went there and back: then both kernels hold the connection. */
async function open(host: string, port: number): Promise<Socket> {
  const socket = connect(port, host);
  await once(socket, 'connect');
  socket.write('x');
  await once(socket, 'data');
  return socket;
}
