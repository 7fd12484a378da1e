import { describe, expect, test } from 'vitest';

import { crowd, fullest, settle } from '../../support/crowds.js';
import { exactOptimum } from '../../support/exact-optimum.js';
import { linearBound } from '../../support/linear-bound.js';
import { generator, SEED } from '../../support/random.js';

describe('at rest, the fullest path is as little full as can be', () => {
  test(`within 1.02 of the exact optimum, 1000 crowds, SEED=${SEED}`, { timeout: 300_000 }, () => {
    const random = generator(SEED);
    let improved = 0;
    for (let round = 0; round < 1000; round++) {
      const below = (limit: number) => Math.floor(random() * limit);
      const shape = { sessions: 1 + below(12), paths: 1 + below(4), allowed: random() < 0.5 ? 1 : 0.7 };
      const before = crowd(random, { ...shape, costs: random() < 0.3 });
      const { input: after, moves } = settle(before, { negligible: 0, idle: 0 });
      const optimum = exactOptimum(before);
      expect(fullest(after) / optimum, `crowd ${round}: ${JSON.stringify(shape)}`).toBeLessThanOrEqual(1.02);
      if (moves > 0) improved++;
    }
    // no test of the optimum where there was nothing to do
    expect(improved).toBeGreaterThan(500);
  });

  test.each([{ allowed: 0.5 }, { allowed: 0.3 }])(
    `within 1.05 of what no placement can be below, 10,000 sessions x 8 paths, %j, SEED=${SEED}`,
    { timeout: 300_000 },
    async (shape) => {
      const before = crowd(generator(SEED), { sessions: 10_000, paths: 8, ...shape });
      const bound = await linearBound(before);
      const { input: after } = settle(before, { moves: Infinity });
      expect(fullest(before)).toBeGreaterThan(2 * bound);
      expect(fullest(after)).toBeLessThanOrEqual(1.05 * bound);
      // it is a bound, to what the solver is exact to
      expect(fullest(after)).toBeGreaterThan(bound * (1 - 1e-6));
    },
  );

  test(`as good with at most 100 moves a round, SEED=${SEED}`, { timeout: 300_000 }, async () => {
    const before = crowd(generator(SEED), { sessions: 2000, paths: 8 });
    const { input: after } = settle(before, { moves: 100 });
    expect(fullest(after)).toBeLessThanOrEqual(1.05 * (await linearBound(before)));
  });
});
