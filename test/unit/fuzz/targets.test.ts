import { describe, expect, it } from 'vitest';
import { corpus, fuzz, tryInput } from '../../fuzz/fuzz.js';
import { TARGETS } from '../../fuzz/targets.js';
import { SEED } from '../../support/random.js';

/** FUZZ=N sets the number of inputs for each target; SEED=N repeats a run. */
const CASES = Number(process.env.FUZZ ?? 1_000);

describe.each(TARGETS.map((target) => [target.name, target] as const))('what reads %s', (_name, target) => {
  it('accepts right inputs', () => {
    for (const input of target.seeds()) target.read(input);
  });

  it('refuses the inputs that once caused an error', () => {
    for (const input of corpus(target)) tryInput(target, input);
  });

  it(`reads or refuses inputs that are nearly right, seed ${SEED}`, () => {
    const { failure } = fuzz(target, CASES, SEED & 0x7fffffff);
    expect(failure).toBeUndefined();
  });
});

it('finds a reader that throws what it may not, and makes the input small', () => {
  const target = {
    name: 'example',
    seeds: () => [Buffer.from('a right input that is rather long')],
    words: ['boom'],
    refusals: [],
    read: (input: Buffer) => {
      if (input.includes('boom')) throw new TypeError('boom');
    },
  };
  const { failure } = fuzz(target, 10_000, 1);
  expect(failure?.reason).toContain('boom');
});
