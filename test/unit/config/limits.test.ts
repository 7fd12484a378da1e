import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';

/** The most characters that are read. */
const MAX_BYTES = 1_048_576;
const SERVER = '[openvpn a]\n';
const PATH = '[path wifi]\nprefix = 10.0.0.0/8\n';

function repeated(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join('');
}

/** A text of the largest size, filled with `piece`. */
function filled(before: string, piece: string, after = ''): string {
  return before + piece.repeat(Math.floor((MAX_BYTES - before.length - after.length) / piece.length)) + after;
}

function problems(text: string): string[] {
  const result = parseConfig(text);
  return result.ok ? [] : result.problems.map(({ line, message }) => `${line ?? ''}: ${message}`);
}

const prefix = (index: number) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32`;

describe('a config up to the limits is read, and more than that is reported', () => {
  test.each<[string, number, (index: number) => string, string]>([
    ['sections', 20_000, (index) => `[client ${index}]\nprimary =\n`, 'sections'],
    ['servers', 256, (index) => `[openvpn s${index}]\nmanagement = /m${index}\n`, '[openvpn NAME] sections'],
    ['paths', 1000, (index) => `[path p${index}]\nprefix = ${prefix(index)}\n`, '[path NAME] sections'],
    ['globs', 1000, (index) => `[client ${index}*]\nprimary =\n`, '[client GLOB] sections with * or ?'],
  ])('%s', (_what, most, section, what) => {
    const before = what.includes('openvpn') ? '' : SERVER;
    const others = before === '' || what !== 'sections' ? 0 : 1;
    expect(problems(before + repeated(most - others, section))).toEqual([]);
    expect(problems(before + repeated(most - others + 1, section))).toEqual([
      expect.stringMatching(/^\d+: too many /) as string,
    ]);
    expect(problems(before + repeated(most * 2, section)).join()).toContain(
      `too many ${what}: ${most} are read at most`,
    );
  });

  test('lines', () => {
    const text = (count: number) =>
      `${SERVER}[path wifi]\n${repeated(count - 2, (index) => `prefix = ${prefix(index)}\n`)}`;
    expect(problems(`# comments\n\n${text(30_000)}`)).toEqual([]);
    expect(problems(repeated(80_001, () => 'a\n')).at(-1)).toBe(': and 79901 more mistakes');
    expect(problems(repeated(80_001, () => '[x]\n')).join()).toContain('too many sections');
    expect(problems(filled('[default]\n', 'a=1\n'))).toEqual([
      '80001: too many lines: 80000 are read at most',
    ]);
  });
});

/** Texts of the largest size. Each of these once took minutes, or had more problems than a call takes arguments. */
describe('a config of the largest size is read or refused in a second or two', () => {
  test.each<[string, string]>([
    ['empty sections', filled('', '[]\n')],
    ['sections of an unknown kind', filled('', '[x]\n')],
    ['sections of one name', filled('', '[client x]\n')],
    ['lines that are not understood', filled('', 'a\n')],
    ['lines that are not understood, in a section', filled('[default]\n', 'a\n')],
    ['unknown keys', filled('[default]\n', 'a=1\n')],
    ['brackets and comments that do not end a header', filled('[', '] ;', '\u2028')],
    ['brackets and blanks', filled('[', ']  ', 'x')],
    ['blanks in a header', filled('[a', ' ')],
    ['commas', filled('[default]\nprimary = ', ',')],
    ['paths that do not exist', filled(`${SERVER}${PATH}[default]\nprimary = wifi\nallowed = `, 'x,')],
    ['backslashes', filled('[default]\nprimary = ', '\\')],
  ])('of %s', (_what, text) => {
    expect(problems(text)).not.toEqual([]);
  });

  test.each<[string, string]>([
    ['the same prefix again and again', filled(`${SERVER}[path wifi]\n`, 'prefix = 10.0.0.0/8\n')],
    [
      'a thousand paths and thousands of clients that may use all of them',
      SERVER +
        repeated(1000, (index) => `[path p${index}]\nprefix = ${prefix(index)}\n`) +
        repeated(18_000, (index) => `[client c${index}]\nprimary =\n`),
    ],
    [
      'as many servers with consoles as are allowed',
      repeated(
        256,
        (index) => `[openvpn s${index}]\nmanagement = /m${index}\nconsole-listen = 127.0.0.1 ${index + 1}\n`,
      ),
    ],
  ])('of %s', (_what, text) => {
    expect(problems(text)).toEqual([]);
  });
});
