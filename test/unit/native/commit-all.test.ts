import { beforeEach, describe, expect, it } from 'vitest';
import { BatchResult, CommitResult } from '../../../src/native/addon.js';
import { change, guards, memory, NO_GUARDS, openMemory, wordAt } from './memory-file.js';

const { changed, unchanged } = CommitResult;
const MATCHES = guards(0x1010n, 0xffffn, 0x1010n);
const FAILS = guards(0x1010n, 0xffffn, 0n);
/** A sequence that matches, and one whose first guard fails. */
const GUARDS = BigUint64Array.of(...MATCHES, ...FAILS);
const FAILING = MATCHES.length;

/** Commits all, and returns the results. */
function commitAll(
  guardWords: BigUint64Array,
  changes: BigUint64Array,
  commits: readonly number[][],
): number[] {
  const results = new Int32Array(commits.length);
  memory.commitAll(guardWords, changes, Int32Array.from(commits.flat()), results);
  return [...results];
}

describe.each(['mapped', 'bytes'] as const)('many commits in one call, %s', (access) => {
  beforeEach(() => {
    openMemory(access, true);
  });

  it('each compare their own guards, and change their own bits', () => {
    const changes = BigUint64Array.of(...change(0x1018n, 1, 0b110, 0b010), ...change(0x1020n, 1, 1, 1));
    const commits = [
      [0, 0, 1, -1],
      [FAILING, 1, 1, -1],
      [0, 0, 1, -1],
    ];
    expect(commitAll(GUARDS, changes, commits)).toEqual([changed, 0, unchanged]);
    expect([wordAt(0x1018), wordAt(0x1020)]).toEqual([0x101an, 0x1020n]);
  });

  it('do not try a commit whose earlier commit was not made', () => {
    const changes = BigUint64Array.of(...change(0x1018n, 1, 1, 1), ...change(0x1020n, 1, 1, 1));
    const commits = [
      [FAILING, 0, 1, -1],
      [0, 0, 1, 0],
      [0, 0, 1, 1],
      [0, 1, 1, -1],
      [0, 0, 1, 3],
    ];
    const { notTried } = BatchResult;
    expect(commitAll(GUARDS, changes, commits)).toEqual([0, notTried, notTried, changed, changed]);
  });

  it('say which commit failed, and carry out the others', () => {
    const changes = BigUint64Array.of(...change(0x8000n, 1, 1, 1), ...change(0x1020n, 1, 1, 1));
    expect(
      commitAll(NO_GUARDS, changes, [
        [0, 0, 1, -1],
        [0, 1, 1, -1],
      ]),
    ).toEqual([BatchResult.failed, changed]);
  });

  it.each([
    ['guards beyond the array', [GUARDS.length, 0, 1, -1]],
    ['negative guards', [-1, 0, 1, -1]],
    ['more guards than there are words', [1, 0, 1, -1]],
    ['changes beyond the array', [0, 1, 1, -1]],
    ['a negative number of changes', [0, 0, -1, -1]],
    ['a commit that follows itself', [0, 0, 1, 0]],
    ['a commit that follows one before the first', [0, 0, 1, -2]],
  ])('refuse %s, and write nothing', (_, commit) => {
    expect(() => commitAll(GUARDS, change(0x1018n, 1, 1, 1), [commit])).toThrow(TypeError);
    expect(wordAt(0x1018)).toBe(0x1018n);
  });

  it('refuse results in the arrays that are read, and too few of them', () => {
    const commits = Int32Array.of(0, 0, 1, -1);
    const changes = change(0x1018n, 1, 1, 1);
    expect(() => { memory.commitAll(GUARDS, changes, commits, commits.subarray(0, 1)); }).toThrow(TypeError); // prettier-ignore
    expect(() => { memory.commitAll(GUARDS, changes, commits, new Int32Array(0)); }).toThrow(TypeError); // prettier-ignore
  });
});
