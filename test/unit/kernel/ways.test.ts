import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Trail } from '../../../src/kernel/commit/trail.js';
import { Ways, type Way } from '../../../src/kernel/commit/ways.js';

const TABLE = { task: 1n, files: 2n, fdt: 3n, array: 4n };

function trailOf(guards: number): Trail {
  const trail = new Trail((address) => address);
  for (let guard = 0; guard < guards; guard++) trail.expectPointer('task', 'its files', 8n, BigInt(guard));
  return trail;
}

/** What stands where a way's place is. */
function wordsOf(ways: Ways, { trail, at }: Way, target: bigint): [BigUint64Array, BigUint64Array] {
  const words = trail.words(target);
  return [ways.words.subarray(at, at + words.length), words];
}

describe('Ways', () => {
  it('keeps each whole, however many come after it', () => {
    const ways = new Ways();
    const all = Array.from({ length: 100 }, (_, index) => ways.add(trailOf(index % 7), BigInt(index), TABLE));
    for (const [index, way] of all.entries()) {
      const [there, words] = wordsOf(ways, way, BigInt(index));
      expect(there).toEqual(words);
    }
  });

  it('gives the place of one that is forgotten to another of its length, and no other', async () => {
    const ways = new Ways();
    const kept = ways.add(trailOf(3), 1n, TABLE);
    const place = ways.add(trailOf(3), 2n, TABLE).at;
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    let shorter = ways.add(trailOf(2), 3n, TABLE);
    let next = kept;
    for (let turn = 0; turn < 100 && next.at !== place; turn++) {
      collect();
      await sleep(10);
      shorter = ways.add(trailOf(2), 3n, TABLE);
      next = ways.add(trailOf(3), 4n, TABLE);
    }
    expect(next.at).toBe(place);
    const [there, words] = wordsOf(ways, kept, 1n);
    expect(there).toEqual(words);
    expect(shorter.at).not.toBe(place);
  });
});
