import { z } from 'zod';
import { generator } from '../../support/random.js';
import { labScript } from '../checkout.js';
import { says } from '../says.js';
import { datagramBytes, PACKET_BYTES } from './datagram.js';
import { BEGIN_WITHIN_MS, HEAD_START_MS, type LoadOptions, type LoadResult } from './load.js';
import type { Scene } from './scene.js';
import type { SendPlan } from './send-plan.js';

/** Of IP packets into each client's tunnel, towards the client. */
export const CONSTANT_MBIT = 2.7;

const port = 5000;
const sentLine = z.object({ sent: z.array(z.number()), failed: z.literal(0) });
const receivedLine = z.object({
  datagrams: z.number(),
  wrong: z.literal(0),
  delayMs: z.object({ median: z.number(), p95: z.number() }),
});

/**
 * UDP through every tunnel, from the web server to the client. What has not come by the end has not come: a tunnel's TCP
 * would deliver it some time.
 * @throws {Error} if a datagram came twice or changed, or none came.
 */
export async function constantRate(
  { network, clients }: Scene,
  { seconds, seed }: LoadOptions,
): Promise<LoadResult> {
  const random = generator(seed);
  const beganMs = Date.now() + HEAD_START_MS;
  const endedMs = beganMs + seconds * 1000;
  const bytes = datagramBytes(PACKET_BYTES);
  const plan: SendPlan = {
    port,
    datagramBytes: bytes,
    intervalMs: (PACKET_BYTES * 8) / (CONSTANT_MBIT * 1000),
    beginMs: beganMs,
    endMs: endedMs,
    targets: clients.map(({ tunnelAddress }) => ({
      address: tunnelAddress,
      beginMs: beganMs + random() * BEGIN_WITHIN_MS,
    })),
  };
  const timeoutMs = HEAD_START_MS + seconds * 1000 + 30_000;
  const receivers = clients.map(({ namespace }) =>
    namespace.start(
      process.execPath,
      [labScript('crowd/rate-receiver'), `${port}`, `${bytes}`, `${endedMs}`],
      timeoutMs,
    ),
  );
  await Promise.all(receivers.map(({ stdout }) => says(stdout, 'listening')));
  const sender = network.web.start(
    process.execPath,
    [labScript('crowd/rate-sender'), JSON.stringify(plan)],
    timeoutMs,
  );
  if (Date.now() > beganMs) throw new Error('the receivers took too long to start: this machine is too busy');
  const { sent } = sentLine.parse(lastLine(await sender));
  const received = await Promise.all(receivers.map(async (one) => receivedLine.parse(lastLine(await one))));
  return {
    beganMs,
    endedMs,
    clients: received.map(({ datagrams, delayMs }, index) => ({
      sentBytes: (sent[index] ?? 0) * PACKET_BYTES,
      receivedBytes: datagrams * PACKET_BYTES,
      seconds: (endedMs - (plan.targets[index]?.beginMs ?? beganMs)) / 1000,
      delayMs,
    })),
  };
}

function lastLine({ stdout, stderr }: { stdout: string; stderr: string }): unknown {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  } catch (cause) {
    throw new Error(`a program of the constant rate ended without a result: ${stdout}${stderr}`, { cause });
  }
}
