import { describe, expect, test } from 'vitest';
import { arrivalOf, type Situation } from '../../../../src/steering/balancer/arrival.js';
import { fullFor, isNewlyFull, stepFullTimes } from '../../../../src/steering/balancer/full-paths.js';
import { pathLoadOf } from '../../../support/path-loads.js';

const now = 100_000;
const dwell = 10_000;
const situation: Situation = {
  isOnFullPath: true,
  isUrgent: true,
  size: 1,
  averagedFor: 250,
  dwell,
  now,
};
/** For how long the session counts as being on its path, milliseconds. */
const age = (more: Partial<Situation>, stay = { since: now - 1000, moves: 0 }) =>
  now - arrivalOf(stay, { ...situation, ...more });

describe('the dwell time', () => {
  test('does not protect a newcomer on a newly full path', () => {
    expect(age({})).toBe(dwell);
  });

  test.each<[string, Partial<Situation>]>([
    ['nothing is urgent', { isUrgent: false, averagedFor: 3000 }],
    ['its path is not the full one', { isOnFullPath: false, averagedFor: 3000 }],
  ])('protects a newcomer if %s', (_why, more) => {
    // it has no minimum stay beyond one dwell time
    expect(age(more)).toBe(1000);
  });

  test('does not protect a session from the correction of its first move, once its effect is measured', () => {
    expect(age({}, { since: now - 999, moves: 1 })).toBe(999);
    expect(age({}, { since: now - 1000, moves: 1 })).toBe(dwell);
    expect(age({}, { since: now - 1000, moves: 2 })).toBe(0);
  });

  test('protects a session that was moved, twice as long after each move', () => {
    expect(age({ isUrgent: false }, { since: now - 30_000, moves: 1 })).toBe(30_000);
    expect(age({}, { since: now - 30_000, moves: 2 })).toBe(20_000);
    expect(age({}, { since: now - 30_000, moves: 3 })).toBe(0);
  });

  test('no session leaves a path with room before its rate is known', () => {
    const long = { since: 0, moves: 0 };
    expect(age({ isOnFullPath: false, isUrgent: false }, long)).toBe(0);
    expect(age({ isOnFullPath: false, isUrgent: false, averagedFor: 3000 }, long)).toBe(now);
  });

  test('a session that uses little does not leave in an urgent round', () => {
    expect(age({ size: 0.2 }, { since: 0, moves: 0 })).toBe(0);
    expect(age({ size: 0.2, isUrgent: false }, { since: 0, moves: 0 })).toBe(now);
  });
});

describe('a path', () => {
  const full = [pathLoadOf('wifi', 20, 20)];
  const free = [pathLoadOf('wifi', 5, 20)];

  test('is newly full for five seconds', () => {
    let times = stepFullTimes(new Map(), full, now);
    expect(isNewlyFull(times, 'wifi', now)).toBe(true);
    times = stepFullTimes(times, full, now + 3000);
    times = stepFullTimes(times, full, now + 5000);
    expect([isNewlyFull(times, 'wifi', now + 5000), fullFor(times, 'wifi', now + 5000)]).toEqual([
      false,
      5000,
    ]);
  });

  test('is not newly full again after a short break, but after a longer one', () => {
    let times = stepFullTimes(new Map(), full, now);
    for (const later of [4000, 8000, 9000]) times = stepFullTimes(times, full, now + later);
    times = stepFullTimes(times, free, now + 10_000);
    expect(fullFor(times, 'wifi', now + 10_000)).toBeUndefined();
    expect(isNewlyFull(stepFullTimes(times, full, now + 11_000), 'wifi', now + 11_000)).toBe(false);
    expect(isNewlyFull(stepFullTimes(times, full, now + 14_000), 'wifi', now + 14_000)).toBe(true);
  });

  test('counts as newly full after the clock went back', () => {
    const times = stepFullTimes(new Map(), full, now);
    expect(fullFor(stepFullTimes(times, full, 5), 'wifi', 5)).toBe(0);
  });
});
