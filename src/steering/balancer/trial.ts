import { NO_RATE, type Rate } from '../../model/rate.js';
import type { PathLoad } from '../../model/path-load.js';
import { ageOf } from '../stay.js';
import { fullFor, type FullTimes } from './full-paths.js';

/** When a path with room is tried next although it seems to have none. */
export interface TrialTimes {
  /** When the last trial was, milliseconds of a monotonic clock. */
  readonly at: number;
  /** The shortest time until the next one, milliseconds. */
  readonly pause: number;
}

/** Before the first trial. */
export const NO_TRIAL: TrialTimes = { at: -Infinity, pause: 0 };

/** The pause after the first trial, milliseconds. It doubles with each one. */
const FIRST_PAUSE_MS = 5000;
/** The longest pause, milliseconds. */
const LONGEST_PAUSE_MS = 600_000;
/** After so many times the pause without a trial, the pauses begin again. */
const FORGOTTEN_AFTER = 4;
/** A path must have been full for this many milliseconds: if a move helps, it comes before. */
const FULL_FOR_MS = 1500;
/** A path must have been without a queue for this many milliseconds. */
const FREE_FOR_MS = 2000;

/**
 * The paths that are worth a trial: they have shown no queue for a while, another path has been full all the time, and a
 * pause has passed. What others use on such a path was inferred from an earlier queue, perhaps from a short one, and is
 * not known now. If it is still there, the trial makes a queue, and is corrected.
 */
export function pathsToTry(
  before: TrialTimes,
  loads: readonly PathLoad[],
  fullTimes: FullTimes,
  now: number,
): ReadonlySet<string> {
  const isStuck = loads.some(
    ({ name, isCongested }) => isCongested && (fullFor(fullTimes, name, now) ?? 0) >= FULL_FOR_MS,
  );
  if (!isStuck || ageOf(before.at, now) < before.pause) return new Set();
  const free = loads.filter(({ name }) => {
    const congestedAt = fullTimes.get(name)?.congestedAt ?? -Infinity;
    return now - congestedAt >= FREE_FOR_MS;
  });
  return new Set(free.filter(({ foreign }) => foreign.down + foreign.up > 0).map(({ name }) => name));
}

/** The times after a trial now. */
export function afterTrial({ at, pause }: TrialTimes, now: number): TrialTimes {
  const isForgotten = ageOf(at, now) >= FORGOTTEN_AFTER * pause;
  return { at: now, pause: isForgotten ? FIRST_PAUSE_MS : Math.min(2 * pause, LONGEST_PAUSE_MS) };
}

/** What others use on a path, as the balancer counts it: nothing on a path that is tried. */
export function countedForeign({ name, foreign }: PathLoad, tried: ReadonlySet<string>): Rate {
  return tried.has(name) ? NO_RATE : foreign;
}
