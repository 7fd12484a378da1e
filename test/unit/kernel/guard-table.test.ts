import { describe, expect, it } from 'vitest';
import { GuardTable } from '../../../src/kernel/commit/guard-table.js';
import { Trail } from '../../../src/kernel/commit/trail.js';

/** A trail with this number of guards, each with another value. */
function trailOf(guards: number): Trail {
  const trail = new Trail((address) => address);
  for (let guard = 0; guard < guards; guard++) trail.expectPointer('task', 'its files', 8n, BigInt(guard));
  return trail;
}

describe('GuardTable', () => {
  it('keeps every sequence when it grows', () => {
    const table = new GuardTable();
    const sequences = Array.from({ length: 100 }, (_, index) => {
      const trail = trailOf(index % 7);
      return table.add(trail, trail.words(BigInt(index)));
    });
    for (const [index, { trail, at, length }] of sequences.entries()) {
      expect(table.words.subarray(at, at + length)).toEqual(trail.words(BigInt(index)));
    }
    expect(table.length).toBe(sequences.reduce((sum, { length }) => sum + length, 0));
  });
});
