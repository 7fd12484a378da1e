import { describe, expect, test } from 'vitest';
import {
  isForgotten,
  pauseLeft,
  pauseOf,
  whileBad,
  type Avoidance,
} from '../../../../src/steering/health/avoidance.js';

const bad = (failures: number, lastBad = 0): Avoidance => ({ because: 'dead', failures, lastBad });

describe('the pause of a path that was bad', () => {
  test('doubles with each failure, up to ten minutes', () => {
    const pauses = [1, 2, 3, 7, 8, 100].map((failures) => pauseOf({ failures }) / 1000);
    expect(pauses).toEqual([5, 10, 20, 320, 600, 600]);
  });

  test('begins when the path was bad last', () => {
    expect(pauseLeft(bad(1, 1000), 1000)).toBe(5000);
    expect(pauseLeft(bad(1, 1000), 5999)).toBe(1);
    expect(pauseLeft(bad(1, 1000), 6000)).toBe(0);
  });

  test('is over if the clock went back', () => {
    expect(pauseLeft(bad(1, 1000), 999)).toBe(0);
  });
});

describe('a failure', () => {
  test('is counted once while it lasts', () => {
    const first = whileBad(undefined, 'dead', true, 0);
    expect(first).toEqual(bad(1, 0));
    expect(whileBad(first, 'dead', false, 9000)).toEqual(bad(1, 9000));
  });

  test('is counted again if the path was tried after its pause', () => {
    expect(whileBad(bad(1, 0), 'dead', true, 5000)).toEqual(bad(2, 5000));
    // bad again although nobody tried it: the same failure
    expect(whileBad(bad(1, 0), 'dead', true, 4999)).toEqual(bad(1, 4999));
  });

  test('is forgotten a minute after its pause', () => {
    expect(isForgotten(bad(1, 0), 64_999)).toBe(false);
    expect(isForgotten(bad(1, 0), 65_000)).toBe(true);
  });
});
