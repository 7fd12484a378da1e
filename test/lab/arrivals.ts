// Runs in a client's namespace: `arrivals PORT`. It receives the datagrams of `rate-sender`. It prints `listening`, and then,
// at most every 50 ms and only when one arrives, a JSON line {"atMs":T,"longestMs":G}: Unix time in milliseconds, and the
// longest time between two datagrams since the line before.
import { createSocket } from 'node:dgram';

const EVERY_MS = 50;
let last = Date.now();
let printed = 0;
let longestMs = 0;

const socket = createSocket('udp4', () => {
  const atMs = Date.now();
  longestMs = Math.max(longestMs, atMs - last);
  last = atMs;
  if (atMs < printed + EVERY_MS) return;
  process.stdout.write(`${JSON.stringify({ atMs, longestMs })}\n`);
  printed = atMs;
  longestMs = 0;
});
socket.bind(Number(process.argv[2]), () => {
  socket.setRecvBufferSize(1_000_000);
  process.stdout.write('listening\n');
});
