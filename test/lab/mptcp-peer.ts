// Under mptcpize, in a namespace. `mptcp-peer serve PORT` keeps every connection that comes; `mptcp-peer hold HOST PORT N`
// opens N and keeps them until it is ended; `mptcp-peer storm HOST PORT N` opens and closes N, many at a time.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

const [role, ...rest] = process.argv.slice(2);
const atOnce = 50;

process.once('SIGTERM', () => process.exit(0));
if (role === 'serve') serve(Number(rest[0]));
else if (role === 'hold') await hold(rest[0] ?? '', Number(rest[1]), Number(rest[2]));
else await storm(rest[0] ?? '', Number(rest[1]), Number(rest[2]));

function serve(port: number): void {
  const server = createServer((socket) => {
    // a client that ends its connection without a word has done what it came for
    socket.on('error', () => undefined).pipe(socket);
  });
  server.listen(port, '::', () => process.stdout.write('listening\n'));
}

async function hold(host: string, port: number, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await open(host, port);
  process.stdout.write('held\n');
}

async function storm(host: string, port: number, count: number): Promise<void> {
  let left = count;
  const flow = async () => {
    while (left-- > 0) (await open(host, port)).resetAndDestroy();
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
