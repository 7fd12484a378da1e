import type { Choice } from '../choice.js';
import type { SubflowMeter } from '../measure/meter.js';
import { ageOf, arrived, dwellsOf, moved, type Stay } from '../stay.js';

/** A session of `smallest-delay` at one moment. */
export interface DelayStep {
  /** The paths that it may be on, at least one. */
  readonly choices: readonly [string, ...string[]];
  /** Of all its subflows. */
  readonly meters: readonly SubflowMeter[];
  /** The path that is primary now; absent: no one path. */
  readonly current?: string | undefined;
  readonly now: number;
  /** Milliseconds. */
  readonly dwell: number;
}

/** The part by which a path must be quicker ... */
const QUICKER = 0.2;
/** ... and microseconds: below that it is the same to a person. */
const QUICKER_BY = 2000;

/** The least round-trip time of a path's subflows, microseconds; undefined: not known. */
export function delayOf(meters: readonly SubflowMeter[], path: string): number | undefined {
  const least = Math.min(
    ...meters.map(({ path: its, rtt }) => (its === path ? (rtt ?? Infinity) : Infinity)),
  );
  return least === Infinity ? undefined : least;
}

/** Whether a path is so much quicker that it is worth going there; microseconds. */
export function isQuicker(delay: number, than: number): boolean {
  return delay <= than * (1 - QUICKER) && delay <= than - QUICKER_BY;
}

/** A choice, and how long it lasts. */
export type DelayChoice = Choice & Stay;

/**
 * The path with the least delay; it changes only for one that is clearly quicker, and after the dwell time. Of a path that
 * carries nothing nobody knows how quick it is now: who finds it slow and comes back stays longer.
 */
export function smallestDelay(
  before: DelayChoice | undefined,
  { choices, meters, current, now, dwell }: DelayStep,
): DelayChoice {
  const at = before?.active[0] ?? current;
  const delay = (path: string) => delayOf(meters, path) ?? Infinity;
  const [first, ...others] = choices;
  const quickest = others.reduce((best, path) => (delay(path) < delay(best) ? path : best), first);
  if (at === undefined || !choices.includes(at)) return { active: [quickest], ...arrived(now) };
  const stay = before ?? { active: [at], ...arrived(now) };
  if (before && ageOf(before.since, now) < dwellsOf(before) * dwell) return stay;
  return isQuicker(delay(quickest), delay(at)) ? { active: [quickest], ...moved(stay, dwell, now) } : stay;
}
