// Runs in a client's namespace: `rate-receiver PORT BYTES` takes datagrams of this size until the time that they themselves
// tell, then prints a JSON line and ends: how many came, how many of them twice or with anything else in them than was
// sent, and how long they were on their way.
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
