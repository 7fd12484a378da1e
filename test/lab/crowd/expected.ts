import type { Arrangement } from './arrangement.js';
import { accessPoints, clientsOfA, clientsOfB } from './isps.js';
import type { LoadOptions } from './load.js';

/** About how long the start and the stop of 12 clients, two servers and their namespaces take. */
const SETUP_SECONDS = 10;
/** About how many bytes an access point carries for one byte of a download. */
const OVERHEAD = 1.15;

/** About how long a run takes, seconds. */
export function expectedSeconds({ kind, seconds, bytes }: LoadOptions, { letter }: Arrangement): number {
  if (kind !== 'downloads') return SETUP_SECONDS + seconds;
  const capacity = accessPoints.reduce((sum, { rateMbit }) => sum + rateMbit, 0) * 1_000_000;
  const [clients, rate] =
    letter === 'a' ? [clientsOfA.length, capacity / 2] : [clientsOfA.length + clientsOfB.length, capacity];
  return SETUP_SECONDS + (clients * bytes * OVERHEAD * 8) / rate;
}
