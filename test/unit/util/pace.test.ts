import { expect, it } from 'vitest';
import { Pace } from '../../../src/util/pace.js';

const LIMIT = { leastMs: 100, factor: 10, longestMs: 1000 };

it('waits a multiple of the time that the work takes, within limits', () => {
  const pace = new Pace();
  const pauses = [5, 5, 50, 50, 500, 500, 5].map((ms) => {
    pace.addDuration(ms);
    return pace.pauseMs(LIMIT);
  });
  expect(pauses).toEqual([100, 100, 100, 500, 500, 1000, 100]);
});

it('does not make the pause longer because of one slow run', () => {
  const pace = new Pace();
  for (const ms of [20, 20, 5_000]) pace.addDuration(ms);
  expect(pace.pauseMs(LIMIT)).toBe(200);
});
