import { describe, expect, test } from 'vitest';
import { stepFullTimes, type FullTimes } from '../../../../src/steering/balancer/full-paths.js';
import { afterTrial, countedForeign, NO_TRIAL, pathsToTry } from '../../../../src/steering/balancer/trial.js';
import { NO_RATE } from '../../../../src/model/rate.js';
import type { PathLoad } from '../../../../src/model/path-load.js';
import { pathLoadOf } from '../../../support/path-loads.js';

const now = 100_000;
const foreign = { down: 5e6, up: 0 };
const full = pathLoadOf('wifi', 20, 20);
/** It shows no queue, but with what others seemed to use it has no room. */
const lte: PathLoad = { ...pathLoadOf('lte', 14, 20), foreign };
const congested: PathLoad = { ...lte, isCongested: true };

/** The times after these loads, one each second until now. */
function timesAfter(...looks: readonly (readonly PathLoad[])[]): FullTimes {
  return looks.reduce<FullTimes>(
    (times, loads, index) => stepFullTimes(times, loads, now - (looks.length - 1 - index) * 1000),
    new Map(),
  );
}

const both = [full, lte];
const names = (loads: readonly PathLoad[], times: FullTimes, before = NO_TRIAL) => [
  ...pathsToTry(before, loads, times, now),
];

describe('a path without a queue', () => {
  test('is worth a trial while another path stays full', () => {
    expect(names(both, timesAfter(both, both, both))).toEqual(['lte']);
  });

  test.each<[string, readonly PathLoad[], FullTimes]>([
    ['the other path was full only for a moment', both, timesAfter([lte], both)],
    ['it had a queue a second ago', both, timesAfter(both, [full, congested], both)],
    [
      'it has a queue',
      [full, congested],
      timesAfter([full, congested], [full, congested], [full, congested]),
    ],
    [
      'others use nothing there, so the balancer knows its room',
      [full, { ...lte, foreign: NO_RATE }],
      timesAfter(both, both, both),
    ],
    ['no path is full', [lte], timesAfter([lte], [lte], [lte])],
  ])('is not worth one if %s', (_why, loads, times) => {
    expect(names(loads, times)).toEqual([]);
  });

  test('is tried again later each time, and the pauses begin again after a long time without a trial', () => {
    const times = timesAfter(both, both, both);
    const first = afterTrial(NO_TRIAL, now - 4999);
    expect(first.pause).toBe(5000);
    expect(names(both, times, first)).toEqual([]);
    expect(names(both, times, { ...first, at: now - 5000 })).toEqual(['lte']);
    expect(afterTrial({ at: now - 6000, pause: 5000 }, now).pause).toBe(10_000);
    expect(afterTrial({ at: now - 20_000, pause: 5000 }, now).pause).toBe(5000);
    expect(afterTrial({ at: now - 600_000, pause: 600_000 }, now).pause).toBe(600_000);
  });

  test('counts as without others while it is tried', () => {
    expect(countedForeign(lte, new Set())).toBe(foreign);
    expect(countedForeign(lte, new Set(['lte']))).toBe(NO_RATE);
  });
});
