import { describe, expect, test } from 'vitest';

import { randomInput, fullest, runUntilStable } from '../../../support/balance-inputs.js';
import { exactOptimum } from '../../../support/exact-optimum.js';
import { linearBound } from '../../../support/linear-bound.js';
import { generator, SEED } from '../../../support/random.js';

describe('when no more sessions move, the fullest path is almost as little full as possible', () => {
  test(
    `within a factor of 1.02 of the exact optimum, for 1000 random inputs, SEED=${SEED}`,
    { timeout: 300_000 },
    () => {
      const random = generator(SEED);
      let improved = 0;
      for (let round = 0; round < 1000; round++) {
        const below = (limit: number) => Math.floor(random() * limit);
        const shape = { sessions: 1 + below(12), paths: 1 + below(4), allowed: random() < 0.5 ? 1 : 0.7 };
        const before = randomInput(random, { ...shape, costs: random() < 0.3 });
        const { input: after, moves } = runUntilStable(before, { negligible: 0, idle: 0 });
        const optimum = exactOptimum(before);
        expect(fullest(after) / optimum, `input ${round}: ${JSON.stringify(shape)}`).toBeLessThanOrEqual(
          1.02,
        );
        if (moves > 0) improved++;
      }
      // an input without moves would not test the optimum
      expect(improved).toBeGreaterThan(500);
    },
  );

  test.each([{ allowed: 0.5 }, { allowed: 0.3 }])(
    `within a factor of 1.05 of a lower bound, for 10,000 sessions on 8 paths, %j, SEED=${SEED}`,
    { timeout: 300_000 },
    async (shape) => {
      const before = randomInput(generator(SEED), { sessions: 10_000, paths: 8, ...shape });
      const bound = await linearBound(before);
      const { input: after } = runUntilStable(before, { moves: Infinity });
      expect(fullest(before)).toBeGreaterThan(2 * bound);
      expect(fullest(after)).toBeLessThanOrEqual(1.05 * bound);
      // the bound is lower, within the solver's precision
      expect(fullest(after)).toBeGreaterThan(bound * (1 - 1e-6));
    },
  );

  test(
    `within the same factor with at most 100 moves per round, SEED=${SEED}`,
    { timeout: 300_000 },
    async () => {
      const before = randomInput(generator(SEED), { sessions: 2000, paths: 8 });
      const { input: after } = runUntilStable(before, { moves: 100 });
      expect(fullest(after)).toBeLessThanOrEqual(1.05 * (await linearBound(before)));
    },
  );
});
