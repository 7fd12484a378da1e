import { approach } from './meter.js';

/** What a path could carry of our traffic, in one direction, when its queue last grew. */
export interface Limit {
  /** Bit/s; absent: the queue has not grown yet, or that was long ago. */
  readonly rate?: number;
  /** Until when the limit is not probed, milliseconds of a monotonic clock. */
  readonly validUntil: number;
  /** How long the limit is valid, milliseconds: twice as long after each probe that failed. */
  readonly validFor: number;
}

/** Milliseconds. */
const SHORTEST_VALIDITY = 120_000;
const LONGEST_VALIDITY = 3_600_000;
/** Milliseconds for which the rate is averaged while a path is full. */
const LEARNING = 3000;
/** Milliseconds in which a limit that is not valid any more rises by two thirds of the distance to the capacity. */
const FORGETTING = 60_000;
/**
 * Milliseconds in which a limit that is not valid any more rises by a factor of 2.7, if the capacity is not known.
 */
const RISING = 600_000;

export const NO_LIMIT: Limit = { validUntil: -Infinity, validFor: SHORTEST_VALIDITY };

/** The measurements of one direction of a path in one round. */
export interface LimitStep {
  readonly now: number;
  /** Milliseconds since the last round. */
  readonly time: number;
  /** Bit/s. */
  readonly carried: number;
  /** Whether its queue grew. */
  readonly isFull: boolean;
  /** Bit/s, from the config; undefined: not written there. */
  readonly capacity: number | undefined;
}

/**
 * One round. Foreign traffic, which subflowd does not see, uses the path too. So what the path carries of our traffic
 * while its queue grows is all that is left for us. The foreign traffic can end, so after a while the limit rises,
 * which probes the path. If the queue grows again, the probe failed, and the next one waits twice as long.
 */
export function learnLimit(before: Limit, { now, time, carried, isFull, capacity }: LimitStep): Limit {
  const { rate, validFor, validUntil } = before;
  if (isFull) {
    const probeFailed = rate !== undefined && now > validUntil;
    const next = probeFailed ? Math.min(2 * validFor, LONGEST_VALIDITY) : validFor;
    const learnt = rate === undefined ? carried : approach(rate, carried, time, LEARNING);
    return { rate: learnt, validFor: next, validUntil: now + next };
  }
  if (rate === undefined) return before;
  const atLeast = Math.max(rate, carried);
  if (now <= validUntil) return { ...before, rate: atLeast };
  if (capacity === undefined) return { ...before, rate: Math.min(atLeast * Math.exp(time / RISING), 1e15) };
  const risen = approach(atLeast, capacity, time, FORGETTING);
  return risen >= 0.99 * capacity ? NO_LIMIT : { ...before, rate: risen };
}
