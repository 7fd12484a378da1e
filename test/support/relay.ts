import { connect, createServer } from 'node:net';

/**
 * A program: `node relay.js FROM TO` listens at the socket FROM and relays everything to OpenVPN's socket TO and back. It prints
 * how long OpenVPN takes for each `status 3`, in milliseconds, one in a line. It is a separate process, because in a busy
 * client OpenVPN would seem slower than it is.
 */
const [from = '', to = ''] = process.argv.slice(2);
createServer((client) => {
  const openvpn = connect(to);
  let asked = 0;
  let answer = '';
  client.on('data', (data) => {
    if (data.toString('latin1').includes('status 3\n')) {
      asked = performance.now();
      answer = '';
    }
    openvpn.write(data);
  });
  openvpn.on('data', (data) => {
    answer = answer.slice(-8) + data.toString('latin1');
    if (asked > 0 && answer.includes('\nEND\r\n')) {
      process.stdout.write(`${performance.now() - asked}\n`);
      asked = 0;
    }
    client.write(data);
  });
  client.on('error', () => undefined).on('close', () => openvpn.destroy());
  openvpn.on('error', () => undefined).on('close', () => client.destroy());
}).listen(from);
