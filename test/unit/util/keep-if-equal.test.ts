import { expect, it } from 'vitest';
import { keepIfEqual } from '../../../src/util/keep-if-equal.js';

it('returns the last value if the next one equals it, and else the next one', () => {
  const [last, equal, other] = [{ a: [1] }, { a: [1] }, { a: [2] }];
  expect(keepIfEqual(last, equal)).toBe(last);
  expect(keepIfEqual(last, other)).toBe(other);
  expect(keepIfEqual(undefined, other)).toBe(other);
  expect(keepIfEqual(last, other, () => true)).toBe(last);
});
