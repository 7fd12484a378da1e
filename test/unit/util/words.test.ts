import { describe, expect, it } from 'vitest';
import { quoteWord, splitWords } from '../../../src/util/words.js';

describe('splitWords', () => {
  it.each([
    ['mptcp primary alice wifi', ['mptcp', 'primary', 'alice', 'wifi']],
    ['  a\t b  ', ['a', 'b']],
    ['"Bob \\"The\\" Builder" x', ['Bob "The" Builder', 'x']],
    ['a\\ b ""', ['a b', '']],
    ['', []],
  ])('%j', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it.each([
    ['"open', 'a quote is not closed'],
    ['end\\', 'the line ends in a backslash'],
  ])('%j is refused', (line, why) => {
    expect(() => splitWords(line)).toThrow(why);
  });
});

it.each(['alice', 'a b', 'Bob "The Builder"', 'back\\slash', '山田太郎', '', "O'Brien", 'x.y@example.com'])(
  'quoteWord writes %j so that it is read back',
  (word) => {
    expect(splitWords(`a ${quoteWord(word)} z`)).toEqual(['a', word, 'z']);
  },
);
