import { setTimeout as sleep } from 'node:timers/promises';
import { generator } from '../../support/random.js';
import { payloadSha256 } from '../payload.js';
import { until } from '../../support/until.js';
import { Transfer } from '../web.js';
import { BEGIN_WITHIN_MS, type LoadOptions, type LoadResult } from './load.js';
import type { Scene } from './scene.js';

/**
 * Downloads of equal size, one through every tunnel. The load ends with the last one.
 * @throws {Error} if a download fails, or received other bytes than were sent.
 */
export async function downloads(
  { network, clients }: Scene,
  { bytes, seed }: LoadOptions,
): Promise<LoadResult> {
  const random = generator(seed);
  const transfers = clients.map(({ namespace }) =>
    Transfer.download(network, namespace, bytes, { stops: [0], timeoutMs: 900_000 }),
  );
  await until(
    'every download is ready',
    async () => {
      // a download that failed throws here
      await Promise.race([...transfers.map(({ done }) => done), sleep(20)]);
      return transfers.every(({ hasStarted }) => hasStarted);
    },
    180_000,
  );
  const beganMs = Date.now();
  await Promise.all(
    transfers.map(async (transfer) => {
      await sleep(random() * BEGIN_WITHIN_MS);
      transfer.release();
    }),
  );
  const results = await Promise.all(transfers.map(({ done }) => done));
  const endedMs = Date.now();
  const wanted = payloadSha256(bytes);
  for (const [index, { sha256 }] of results.entries())
    if (sha256 !== wanted)
      throw new Error(`${clients[index]?.name ?? ''} received other bytes than were sent`);
  return {
    beganMs,
    endedMs,
    clients: results.map(({ bytes: receivedBytes, seconds }) => ({
      sentBytes: bytes,
      receivedBytes,
      seconds,
    })),
  };
}
