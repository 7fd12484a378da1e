import { approach } from './meter.js';

/** What a path could carry of ours, one way, when its queue last grew. */
export interface Limit {
  /** Bit/s; absent: its queue has not grown yet, or that is long ago. */
  readonly rate?: number;
  /** The clock until which nothing else is tried, ms. */
  readonly validUntil: number;
  /** How long it holds, ms: twice as long each time that it was tried in vain. */
  readonly validFor: number;
}

/** Milliseconds. */
const SHORTEST_VALIDITY = 120_000;
const LONGEST_VALIDITY = 3_600_000;
/** Milliseconds: for so long a path must have been full to show what it carries. */
const LEARNING = 3000;
/** Milliseconds in which a limit that no longer holds goes two thirds of the way to the capacity. */
const FORGETTING = 60_000;
/** Milliseconds in which a limit that no longer holds becomes 2.7 times as high where the capacity is not known. */
const RISING = 600_000;

export const NO_LIMIT: Limit = { validUntil: -Infinity, validFor: SHORTEST_VALIDITY };

/** What one way of a path showed in one step. */
export interface LimitStep {
  readonly now: number;
  /** Milliseconds since the last step. */
  readonly time: number;
  /** Bit/s. */
  readonly carried: number;
  /** Its queue grew. */
  readonly isFull: boolean;
  /** Bit/s, as the config says. */
  readonly capacity: number | undefined;
}

/**
 * One step. Others whom we do not see use the path as well: what it carries of ours while its queue grows is all that is
 * left for us. They may leave, so after a while the limit gives way, until the queue grows again; who comes too early
 * waits twice as long.
 */
export function learnLimit(before: Limit, { now, time, carried, isFull, capacity }: LimitStep): Limit {
  const { rate, validFor: hold, validUntil: holdsUntil } = before;
  if (isFull) {
    const inVain = rate !== undefined && now > holdsUntil;
    const next = inVain ? Math.min(2 * hold, LONGEST_VALIDITY) : hold;
    const learnt = rate === undefined ? carried : approach(rate, carried, time, LEARNING);
    return { rate: learnt, validFor: next, validUntil: now + next };
  }
  if (rate === undefined) return before;
  const atLeast = Math.max(rate, carried);
  if (now <= holdsUntil) return { ...before, rate: atLeast };
  if (capacity === undefined) return { ...before, rate: Math.min(atLeast * Math.exp(time / RISING), 1e15) };
  const risen = approach(atLeast, capacity, time, FORGETTING);
  return risen >= 0.99 * capacity ? NO_LIMIT : { ...before, rate: risen };
}
