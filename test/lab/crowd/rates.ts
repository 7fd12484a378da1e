import { z } from 'zod';
import { generator } from '../../support/random.js';
import { labScript } from '../checkout.js';
import type { Namespace } from '../namespace.js';
import { says } from '../says.js';
import { datagramBytes, PACKET_BYTES } from './datagram.js';
import { randomBursts } from './bursts.js';
import { BEGIN_WITHIN_MS, type Burst, type LoadOptions, type LoadResult } from './load.js';
import type { Scene } from './scene.js';
import type { SendPlan } from './send-plan.js';

/** The rate of IP packets into each client's tunnel, towards the client, Mbit/s. */
export const CONSTANT_MBIT = 2.7;
/** The same in a burst of the changing load. Bursts last 46 % of the time, so the mean is 2.7 Mbit/s as well. */
export const BURST_MBIT = 5.8;

const port = 5000;
const sentLine = z.object({
  beganMs: z.number(),
  endedMs: z.number(),
  sent: z.array(z.number()),
  failed: z.literal(0),
});
const receivedLine = z.object({
  datagrams: z.number(),
  wrong: z.literal(0),
  delayMs: z.object({ median: z.number(), p95: z.number() }),
});

/** A constant rate into every tunnel from a random moment on. */
export function constantRate(scene: Scene, load: LoadOptions): Promise<LoadResult> {
  const toMs = load.seconds * 1000;
  return sendBursts(scene, load, CONSTANT_MBIT, (random) => [{ fromMs: random() * BEGIN_WITHIN_MS, toMs }]);
}

/** Bursts at random moments and of random lengths into every tunnel. */
export function changingRate(scene: Scene, load: LoadOptions): Promise<LoadResult> {
  return sendBursts(scene, load, BURST_MBIT, (random) => randomBursts(load.seconds * 1000, random));
}

/**
 * Sends UDP through every tunnel, from the web server to the client. A datagram that arrives after the end of the load counts
 * as not delivered, because a tunnel's TCP delivers everything at some time.
 * @throws {Error} if a datagram arrived twice or changed, or if none arrived.
 */
async function sendBursts(
  { network, clients }: Scene,
  { seconds, seed }: LoadOptions,
  mbit: number,
  burstsOf: (random: () => number) => readonly Burst[],
): Promise<LoadResult> {
  const random = generator(seed);
  const bytes = datagramBytes(PACKET_BYTES);
  const plan: SendPlan = {
    port,
    datagramBytes: bytes,
    intervalMs: (PACKET_BYTES * 8) / (mbit * 1000),
    durationMs: seconds * 1000,
    targets: clients.map(({ tunnelAddress }) => ({
      address: tunnelAddress,
      bursts: burstsOf(random),
    })),
  };
  const timeoutMs = plan.durationMs + 180_000;
  const start = (namespace: Namespace, program: string, ...args: readonly string[]) =>
    namespace.start(process.execPath, [labScript(`crowd/${program}`), ...args], timeoutMs);
  const receivers = clients.map(({ namespace }) => start(namespace, 'rate-receiver', `${port}`, `${bytes}`));
  await Promise.all(receivers.map(({ stdout }) => says(stdout, 'listening')));
  const sender = await start(network.web, 'rate-sender', JSON.stringify(plan));
  const { beganMs, endedMs, sent } = sentLine.parse(lastLine(sender));
  const received = await Promise.all(receivers.map(async (one) => receivedLine.parse(lastLine(await one))));
  return {
    beganMs,
    endedMs,
    clients: received.map(({ datagrams, delayMs }, index) => {
      const { bursts = [] } = plan.targets[index] ?? {};
      return {
        sentBytes: (sent[index] ?? 0) * PACKET_BYTES,
        receivedBytes: datagrams * PACKET_BYTES,
        seconds: (plan.durationMs - (bursts[0]?.fromMs ?? 0)) / 1000,
        bursts,
        delayMs,
      };
    }),
  };
}

function lastLine({ stdout, stderr }: { stdout: string; stderr: string }): unknown {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  } catch (cause) {
    throw new Error(`a sender or receiver ended without a result: ${stdout}${stderr}`, { cause });
  }
}
