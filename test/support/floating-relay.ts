import { createSocket, type Socket } from 'node:dgram';

/**
 * A program: `node floating-relay.js FROM TO` passes packets between one client over UDP and its server on loopback. At
 * SIGUSR2 it continues from another port, as a client's NAT does after it has forgotten the client.
 */
const [from, to] = process.argv.slice(2).map(Number);
const near = createSocket('udp4');
let client = 0;

function newPort(): Socket {
  return createSocket('udp4').on('message', (packet) => {
    near.send(packet, client, '127.0.0.1');
  });
}

let far = newPort();
near
  .on('message', (packet, { port }) => {
    client = port;
    far.send(packet, to, '127.0.0.1');
  })
  .bind(from, '127.0.0.1', () => process.stdout.write('ready\n'));
process.on('SIGUSR2', () => {
  far.close();
  far = newPort();
});
