import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../src/util/backoff.js';

describe('Backoff', () => {
  it('doubles up to its maximum, stays above its minimum, and can be reset', () => {
    const backoff = new Backoff(250, 15_000);
    const waits = Array.from({ length: 40 }, () => backoff.next());
    waits.forEach((wait, index) => {
      expect(wait).toBeGreaterThanOrEqual(250);
      expect(wait).toBeLessThanOrEqual(Math.min(15_000, 250 * 2 ** index));
    });
    expect(waits.at(-1)).toBeGreaterThanOrEqual(7_500);
    backoff.reset();
    expect(backoff.next()).toBe(250);
  });
});
