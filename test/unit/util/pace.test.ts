import { expect, it } from 'vitest';
import { Pace } from '../../../src/util/pace.js';

const SPARING = { least: 100, times: 10, longest: 1000 };

it('waits so many times as long as the work takes, within limits', () => {
  const pace = new Pace();
  const pauses = [5, 5, 50, 50, 500, 500, 5].map((ms) => {
    pace.took(ms);
    return pace.pause(SPARING);
  });
  expect(pauses).toEqual([100, 100, 100, 500, 500, 1000, 100]);
});

it('is not misled by one moment in which the machine stood still', () => {
  const pace = new Pace();
  for (const ms of [20, 20, 5_000]) pace.took(ms);
  expect(pace.pause(SPARING)).toBe(200);
});
