// Runs in a client's namespace: `rate-receiver PORT BYTES UNTIL` counts datagrams of this size that come before UNTIL, Unix
// time in milliseconds, then prints a JSON line and ends: how many came, how many of them twice or with anything else in
// them than was sent, and how long they were on their way.
import { createSocket } from 'node:dgram';
import { filler, HEADER_BYTES } from './datagram.js';
import { percentile } from './statistics.js';

const [port, bytes, until] = process.argv.slice(2).map(Number);
const expected = filler(bytes ?? 0);
const seen = new Set<number>();
const delaysMs: number[] = [];
let wrong = 0;

const socket = createSocket('udp4', (datagram) => {
  const sequence = datagram.readUInt32BE(0);
  if (seen.has(sequence) || !datagram.subarray(HEADER_BYTES).equals(expected)) wrong += 1;
  seen.add(sequence);
  delaysMs.push(Date.now() - datagram.readDoubleBE(4));
});
socket.bind(port, () => {
  socket.setRecvBufferSize(1_000_000);
  process.stdout.write('listening\n');
});
setTimeout(
  () => {
    const delayMs = { median: percentile(delaysMs, 0.5), p95: percentile(delaysMs, 0.95) };
    process.stdout.write(`${JSON.stringify({ datagrams: delaysMs.length, wrong, delayMs })}\n`, () =>
      process.exit(0),
    );
  },
  (until ?? 0) - Date.now(),
);
