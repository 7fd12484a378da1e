// `node pipe.js LISTEN TARGET`: one unix socket passed on to another, and nothing else: the least that any relay can be.
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
