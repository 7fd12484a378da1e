import { connect, createServer } from 'node:net';

/**
 * A program: `node relay.js FROM TO` listens at the socket FROM and passes everything to OpenVPN's socket TO and back. It prints
 * how long OpenVPN takes for each `status 3`, in milliseconds, one on a line. It is a process of its own, so that a busy client
 * does not look like a slow OpenVPN.
 */
const [from = '', to = ''] = process.argv.slice(2);
createServer((near) => {
  const far = connect(to);
  let asked = 0;
  let answer = '';
  near.on('data', (data) => {
    if (data.toString('latin1').includes('status 3\n')) {
      asked = performance.now();
      answer = '';
    }
    far.write(data);
  });
  far.on('data', (data) => {
    answer = answer.slice(-8) + data.toString('latin1');
    if (asked > 0 && answer.includes('\nEND\r\n')) {
      process.stdout.write(`${performance.now() - asked}\n`);
      asked = 0;
    }
    near.write(data);
  });
  near.on('error', () => undefined).on('close', () => far.destroy());
  far.on('error', () => undefined).on('close', () => near.destroy());
}).listen(from);
