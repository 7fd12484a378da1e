import { describe, expect, it } from 'vitest';
import { escapeJson, isPrintable, printable, printableJson } from '../../../src/util/printable.js';

const INVISIBLE: readonly (readonly [string, string])[] = [
  ['\n', '\\x0a'],
  ['\x1b', '\\x1b'],
  ['\x7f', '\\x7f'],
  ['\x9b', '\\x9b'],
  ['\x9d', '\\x9d'],
  ['\xa0', '\\xa0'],
  ['\xad', '\\xad'],
  ['\u034f', '\\u034f'],
  ['\u061c', '\\u061c'],
  ['\u200b', '\\u200b'],
  ['\u200d', '\\u200d'],
  ['\u2028', '\\u2028'],
  ['\u202e', '\\u202e'],
  ['\u2066', '\\u2066'],
  ['\u2800', '\\u2800'],
  ['\u3000', '\\u3000'],
  ['\u3164', '\\u3164'],
  ['\ufeff', '\\ufeff'],
  ['\ue000', '\\ue000'],
  ['\uffff', '\\uffff'],
  ['\ud800', '\\ud800'],
  ['\u{e0001}', '\\u{e0001}'],
  ['\u{10ffff}', '\\u{10ffff}'],
];

describe('an invisible or reordering character', () => {
  it.each(INVISIBLE)('%j is shown as %s', (character, shown) => {
    expect(printable(`a${character}b`)).toBe(`a${shown}b`);
    expect(isPrintable(`a${character}b`)).toBe(false);
  });

  it.each(INVISIBLE)('%j is escaped in JSON, and parses to itself', (character) => {
    const json = printableJson({ [`a${character}`]: `b${character}c` });
    expect(json).toMatch(/^[ -~]+$/);
    expect(JSON.parse(json)).toEqual({ [`a${character}`]: `b${character}c` });
  });
});

it.each([
  'alice example',
  'Bob "The" Builder',
  'back\\slash',
  '山田太郎',
  'Ünal é',
  'Łódź',
  'שלום',
  '🙂',
  '',
])('%j is shown as it is', (text) => {
  expect(printable(text)).toBe(text);
  expect(isPrintable(text)).toBe(true);
  expect(escapeJson(JSON.stringify(text))).toBe(JSON.stringify(text));
});

it('JSON with line breaks keeps them', () => {
  expect(printableJson({ a: ['\u202e'] }, 2)).toBe('{\n  "a": [\n    "\\u202e"\n  ]\n}');
});
