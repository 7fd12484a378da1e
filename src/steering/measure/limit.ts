import { approach } from './meter.js';

/** The rate of our traffic that a path could carry, in one direction, when its queue last grew. */
export interface Limit {
  /** Bit/s; absent: the queue has not grown yet, or that was long ago. */
  readonly rate?: number;
  /** When it is probed next, milliseconds of a monotonic clock. A probe lets the limit rise. */
  readonly validUntil: number;
  /** How long a time `rate` is an average of, milliseconds. */
  readonly averagedFor: number;
  /** How long it is not probed after the queue grew, milliseconds. This doubles with each probe that fails. */
  readonly validFor: number;
}

/** The lowest and the highest {@link Limit.validFor}. */
const [MIN_VALIDITY_MS, MAX_VALIDITY_MS] = [120_000, 3_600_000];
/** While a path is full, its rate is averaged over this many milliseconds; in the beginning over less. */
const LEARNING_MS = 3000;
/** When a path is full again, its earlier limit counts as an average of this many milliseconds. */
const RELEARNING_MS = 500;
/** Milliseconds in which a probed limit rises by two thirds of the distance to the capacity. */
const FORGETTING_MS = 60_000;
/** Milliseconds in which a probed limit rises by a factor of 2.7, if the capacity is not known. */
const RISING_MS = 600_000;
/** Bit/s. A limit rises no further if the capacity is not known. */
const MAX_LIMIT = 1e15;
/** The fraction of the capacity at which a probed limit no longer limits anything. */
const ALMOST_CAPACITY = 0.99;

/** The limit of a path whose queue has not grown. */
export const NO_LIMIT: Limit = { averagedFor: 0, validUntil: -Infinity, validFor: MIN_VALIDITY_MS };

/** The measurements of one direction of a path in one round. */
export interface LimitStep {
  readonly now: number;
  /** Milliseconds since the last round. */
  readonly elapsed: number;
  /** The rate of our traffic, bit/s. */
  readonly carried: number;
  /** Whether its queue grew. */
  readonly isFull: boolean;
  /** Whether it was not full in the last round. */
  readonly isNewlyFull: boolean;
  /** Bit/s, from the config; undefined if it is not written there. */
  readonly capacity: number | undefined;
}

/**
 * Updates a limit in one round. Foreign traffic, which subflowd does not see, uses the path too. So while the queue grows,
 * our present rate is all that the path can carry for us. The foreign traffic can end, so after a while the limit rises:
 * this probes the path. If the queue grows again, the probe failed, and the next one waits twice as long.
 */
export function learnLimit(
  before: Limit,
  { now, elapsed, carried, isFull, isNewlyFull, capacity }: LimitStep,
): Limit {
  const { rate, validUntil } = before;
  if (isFull) {
    const probeFailed = rate !== undefined && now > validUntil;
    const validFor = probeFailed ? Math.min(2 * before.validFor, MAX_VALIDITY_MS) : before.validFor;
    const known = isNewlyFull ? Math.min(before.averagedFor, RELEARNING_MS) : before.averagedFor;
    const weightBefore =
      rate === undefined ? 0 : Math.min(Math.exp(-elapsed / LEARNING_MS), known / (known + elapsed));
    return {
      rate: carried + ((rate ?? carried) - carried) * weightBefore,
      averagedFor: Math.min(known + elapsed, LEARNING_MS),
      validFor,
      validUntil: now + validFor,
    };
  }
  if (rate === undefined) return before;
  const atLeast = Math.max(rate, carried);
  if (now <= validUntil) return { ...before, rate: atLeast };
  // the probe
  if (capacity === undefined) {
    return { ...before, rate: Math.min(atLeast * Math.exp(elapsed / RISING_MS), MAX_LIMIT) };
  }
  const risen = approach(atLeast, capacity, elapsed, FORGETTING_MS);
  return risen >= ALMOST_CAPACITY * capacity ? NO_LIMIT : { ...before, rate: risen };
}
