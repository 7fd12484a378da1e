// Runs in the web server's namespace: `rate-sender PLAN` sends datagrams to many at a constant rate each, then prints a JSON
// line with how many it sent to each. PLAN is a SendPlan as JSON.
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { filler, HEADER_BYTES } from './datagram.js';
import type { SendPlan } from './send-plan.js';

const plan = JSON.parse(process.argv[2] ?? '') as SendPlan;
const tickMs = 2;
const body = filler(plan.datagramBytes);
const socket = createSocket('udp4');
const sent = plan.targets.map(() => 0);
let failed = 0;

await sleep(plan.beginMs - Date.now());
while (Date.now() < plan.endMs) {
  const now = performance.timeOrigin + performance.now();
  for (const [index, { address, beginMs }] of plan.targets.entries()) {
    // Datagram n is due n intervals after the first: late timers lose none.
    for (let n = sent[index] ?? 0; beginMs + n * plan.intervalMs <= now; n += 1) {
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt32BE(n, 0);
      header.writeDoubleBE(Date.now(), 4);
      socket.send([header, body], plan.port, address, (error) => {
        if (error) failed += 1;
      });
      sent[index] = n + 1;
    }
  }
  await sleep(tickMs);
}
socket.close();
process.stdout.write(`${JSON.stringify({ sent, failed })}\n`);
