import ini from 'ini';
import { expect, test } from 'vitest';
import { readLines } from '../../../src/config/lines.js';

test('readLines finds the sections and keys that ini finds in the whole text', () => {
  const text = [
    '; comment',
    '# another',
    '[one]',
    'a = 1',
    '  b=two words  ; not this',
    'c = "quoted ; kept"',
    "d = 'single'",
    'e = a\\;b\\#c\\\\d',
    'f =',
    'g = x = y',
    '',
    '[two three]',
    'a = true',
    'b = null',
    'h = 1,2',
  ].join('\r\n');
  const ours = Object.fromEntries(
    readLines(text).sections.map(({ kind, name, entries }) => [
      name === '' ? kind : `${kind} ${name}`,
      Object.fromEntries(entries.map(({ key, value }) => [key, value])),
    ]),
  );
  const theirs = Object.fromEntries(
    Object.entries(ini.parse(text)).map(([section, entries]) => [
      section,
      Object.fromEntries(
        Object.entries(entries as Record<string, unknown>).map(([key, value]) => [key, String(value)]),
      ),
    ]),
  );
  expect(ours).toEqual(theirs);
});
