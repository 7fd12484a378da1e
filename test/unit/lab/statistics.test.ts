import { expect, test } from 'vitest';
import { jain, mean, percentile } from '../../lab/crowd/statistics.js';

test('Jain’s index is 1 if all values are equal, and 1/n if all but one are zero', () => {
  expect(jain([3, 3, 3])).toBeCloseTo(1);
  expect(jain([5, 0, 0, 0])).toBeCloseTo(1 / 4);
  // ten share one access point, two the other: as in the experiment’s first arrangement
  expect(jain([...new Array<number>(10).fill(2), 10, 10])).toBeCloseTo(0.556, 3);
});

test('a percentile lies between its neighbours, in any order', () => {
  expect(percentile([30, 10, 20], 0.5)).toBe(20);
  expect(percentile([10, 20], 0.95)).toBeCloseTo(19.5);
  expect(percentile([7], 0.95)).toBe(7);
  expect(percentile([], 0.5)).toBeNaN();
  expect(mean([1, 2, 6])).toBe(3);
});
