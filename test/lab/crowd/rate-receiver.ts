// Runs in a client's namespace: `rate-receiver PORT BYTES`. It receives datagrams of this size until the time that they have
// in their header. Then it prints a JSON line and ends. The line has the number of datagrams that arrived, the number of those
// that arrived twice or with wrong bytes, and how long datagrams took.
import { createSocket } from 'node:dgram';
import { filler, readDatagram } from './datagram.js';
import { percentile } from './statistics.js';

const [port, bytes] = process.argv.slice(2).map(Number);
const body = filler(bytes ?? 0);
const seen = new Set<number>();
const delaysMs: number[] = [];
let wrong = 0;

const socket = createSocket('udp4', (message) => {
  const datagram = readDatagram(message, body);
  if (datagram === undefined || seen.has(datagram.sequence)) {
    wrong += 1;
    return;
  }
  const { sequence, sentMs, endMs } = datagram;
  const now = Date.now();
  if (now > endMs) return;
  if (seen.size === 0) setTimeout(finish, endMs - now);
  seen.add(sequence);
  delaysMs.push(now - sentMs);
});
socket.bind(port, () => {
  socket.setRecvBufferSize(1_000_000);
  process.stdout.write('listening\n');
});

function finish(): void {
  const delayMs = { median: percentile(delaysMs, 0.5), p95: percentile(delaysMs, 0.95) };
  process.stdout.write(`${JSON.stringify({ datagrams: seen.size, wrong, delayMs })}\n`, () =>
    process.exit(0),
  );
}
