// Runs in the web server's namespace: `rate-sender PLAN`, where PLAN is a SendPlan as JSON. It sends datagrams at a constant
// rate in each burst of each target. Then it prints a JSON line: when it began and ended, how many it sent to each target, and
// how many could not be sent.
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { filler, writeHeader } from './datagram.js';
import { burstMs } from './bursts.js';
import type { SendPlan } from './send-plan.js';

const plan = JSON.parse(process.argv[2] ?? '') as SendPlan;
const tickMs = 2;
const body = filler(plan.datagramBytes);
const socket = createSocket('udp4');
const sent = plan.targets.map(() => 0);
let failed = 0;

const beganMs = Date.now();
const endMs = beganMs + plan.durationMs;
while (Date.now() < endMs) {
  for (const [index, { address, bursts }] of plan.targets.entries()) {
    const elapsedMs = burstMs(bursts, 0, Date.now() - beganMs);
    // datagram n is due after n intervals of bursts, so that none is left out if a timer is late
    for (let n = sent[index] ?? 0; n * plan.intervalMs < elapsedMs; n += 1) {
      const header = writeHeader({ sequence: n, sentMs: Date.now(), endMs });
      socket.send([header, body], plan.port, address, (error) => {
        if (error) failed += 1;
      });
      sent[index] = n + 1;
    }
  }
  await sleep(tickMs);
}
socket.close();
process.stdout.write(`${JSON.stringify({ beganMs, endedMs: endMs, sent, failed })}\n`);
