import { createSocket, type Socket } from 'node:dgram';

/**
 * A program: `node floating-relay.js FROM TO` passes packets between one client over UDP and its server on loopback. At
 * SIGUSR2 it continues from another port, as a client's NAT does after it has forgotten the client.
 */
const [from, to] = process.argv.slice(2).map(Number);
const clientSide = createSocket('udp4');
let clientPort = 0;

/** The socket from which the server gets the packets. */
function createServerSide(): Socket {
  return createSocket('udp4').on('message', (packet) => {
    clientSide.send(packet, clientPort, '127.0.0.1');
  });
}

let serverSide = createServerSide();
clientSide
  .on('message', (packet, { port }) => {
    clientPort = port;
    serverSide.send(packet, to, '127.0.0.1');
  })
  .bind(from, '127.0.0.1', () => process.stdout.write('ready\n'));
process.on('SIGUSR2', () => {
  serverSide.close();
  serverSide = createServerSide();
});
