import { connect, createServer } from 'node:net';

/**
 * A program: `node relay.js FROM TO` stands between OpenVPN's socket TO and who asks it at FROM, and measures how long
 * each `status 3` takes OpenVPN, in milliseconds, one to a line of standard output. A process of its own, so that a busy
 * asker does not count as a slow OpenVPN.
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
