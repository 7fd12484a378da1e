import type { Arrangement } from './arrangement.js';
import { accessPoints, clientsOfA, clientsOfB } from './isps.js';
import type { LoadOptions } from './load.js';

/** What 12 clients, two servers and their namespaces take to come and go, about. */
const SETUP_SECONDS = 10;
/** Bytes at an access point for one byte of a download, about. */
const OVERHEAD = 1.15;

/** How long a run takes, about. */
export function expectedSeconds({ kind, seconds, bytes }: LoadOptions, { letter }: Arrangement): number {
  if (kind === 'constant') return SETUP_SECONDS + seconds;
  const capacity = accessPoints.reduce((sum, { rateMbit }) => sum + rateMbit, 0) * 1_000_000;
  const [clients, rate] =
    letter === 'a' ? [clientsOfA.length, capacity / 2] : [clientsOfA.length + clientsOfB.length, capacity];
  return SETUP_SECONDS + (clients * bytes * OVERHEAD * 8) / rate;
}
