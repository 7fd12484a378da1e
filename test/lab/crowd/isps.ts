import type { PathOptions } from '../network.js';

/**
 * An access point of each ISP, of equal capacity. The queue is tail-drop and has room for 100 ms at full rate (250 kB), which
 * is usual for the buffer of an access link. Nothing else delays packets (the lab's kernel has no netem), so the round-trip
 * time with an empty queue is nearly zero.
 */
export const accessPoints: readonly [own: PathOptions, other: PathOptions] = [
  { name: 'isp-a', number: 100, rateMbit: 20, queueMs: 100 },
  { name: 'isp-b', number: 200, rateMbit: 20, queueMs: 100 },
];

/** The clients of ISP A. They have both access points, first their own ISP's. */
export const clientsOfA = Array.from({ length: 10 }, (_, index) => `a${index + 1}`);

/** The clients of ISP B. They have only their own ISP's access point. */
export const clientsOfB = ['b1', 'b2'];
