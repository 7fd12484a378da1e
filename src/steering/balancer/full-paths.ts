import type { PathLoad } from '../../model/path-load.js';
import { isFull } from './demand.js';

/** A time in which a path was full, with short breaks. Times are milliseconds of a monotonic clock. */
export interface FullTime {
  readonly since: number;
  readonly until: number;
  /** When its queue grew last. */
  readonly congestedAt: number;
}

/** By the path's name; a path that has not been full for a while is left out. */
export type FullTimes = ReadonlyMap<string, FullTime>;

/** Milliseconds without a queue after which a path counts as newly full if it is full again. */
const LONGEST_BREAK_MS = 5000;
/** A path is newly full for this many milliseconds. */
const NEWLY_FULL_MS = 5000;

/** One round. If the clock went back, it begins again. */
export function stepFullTimes(before: FullTimes, loads: readonly PathLoad[], now: number): FullTimes {
  return new Map(
    loads.flatMap((load): [string, FullTime][] => {
      const last = before.get(load.name);
      const known = last && last.until <= now && now - last.until < LONGEST_BREAK_MS ? last : undefined;
      const congestedAt = load.isCongested ? now : (known?.congestedAt ?? -Infinity);
      if (isFull(load)) return [[load.name, { since: known?.since ?? now, until: now, congestedAt }]];
      return known ? [[load.name, known]] : [];
    }),
  );
}

/** For how long a path that is full now has been full, milliseconds; undefined: it is not full. */
export function fullFor(times: FullTimes, path: string | undefined, now: number): number | undefined {
  const time = times.get(path ?? '');
  return time?.until === now ? now - time.since : undefined;
}

/** Whether a path is full now and was not some seconds ago. */
export function isNewlyFull(times: FullTimes, path: string | undefined, now: number): boolean {
  return (fullFor(times, path, now) ?? Infinity) < NEWLY_FULL_MS;
}
