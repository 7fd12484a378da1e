// `node pipe.js LISTEN TARGET`: connects one Unix socket with another, and does nothing else. No relay can do less.
import { connect, createServer } from 'node:net';

const [listen, target] = process.argv.slice(2);
createServer((client) => {
  const server = connect(target ?? '');
  client.pipe(server).pipe(client);
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => other.destroy()).on('close', () => other.destroy());
  }
}).listen(listen);
