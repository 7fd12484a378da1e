import type { PathOptions } from '../network.js';

/**
 * An access point of each ISP, of equal capacity. The queue drops its tail, and holds what a round trip of 100 ms has on its
 * way at full rate (250 kB), as is usual for buffers before an access link. This kernel has nothing that delays packets
 * (no netem), so that an empty queue means a round trip of next to nothing.
 */
export const accessPoints: readonly [own: PathOptions, other: PathOptions] = [
  { name: 'isp-a', number: 100, rateMbit: 20, queueMs: 100 },
  { name: 'isp-b', number: 200, rateMbit: 20, queueMs: 100 },
];

/** ISP A's clients: they have both access points, their own ISP's first. */
export const clientsOfA = Array.from({ length: 10 }, (_, index) => `a${index + 1}`);

/** ISP B's clients: they have their own ISP's access point alone. */
export const clientsOfB = ['b1', 'b2'];
