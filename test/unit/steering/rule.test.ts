import { describe, expect, test } from 'vitest';
import { pathFinder, rememberingPathFinder } from '../../../src/steering/paths.js';
import { rememberingRuleFinder } from '../../../src/steering/rule.js';
import { parseGlob } from '../../../src/util/glob.js';
import { standby } from '../../support/config.js';

describe('globs', () => {
  test.each([
    ['*', '', true],
    ['*', 'anything at all', true],
    ['', '', true],
    ['', 'a', false],
    ['a', 'a', true],
    ['a', 'A', false],
    ['a', 'ab', false],
    ['?', '', false],
    ['?', '🦊', true],
    ['??', '🦊', false],
    ['山田*', '山田太郎', true],
    ['*.lan', 'host.lan', true],
    ['*.lan', 'host.lan.de', false],
    ['*.lan', '.lan', true],
    ['*.lan', 'hostxlan', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['a?c*', 'abc', true],
    ['*a?', 'aab', true],
    ['**', 'x', true],
    ['[ab]', 'a', false],
    ['[ab]', '[ab]', true],
    ['a\\*', 'a\\b', true],
    ['(.+)$', '(.+)$', true],
    ['*aab', 'aaaaab', true],
  ])('%j on %j: %s', (glob, name, expected) => {
    expect(parseGlob(glob).matches(name)).toBe(expected);
  });

  test('a glob with many stars is compared with a long name in time', { timeout: 60_000 }, () => {
    const glob = parseGlob(`${'*a'.repeat(200)}*b`);
    // 8 million steps at most. An algorithm that goes back to every star would practically never end.
    expect(glob.matches('a'.repeat(20_000))).toBe(false);
  });

  test('globs match the same names as regular expressions do', { timeout: 60_000 }, () => {
    const alphabet = ['a', 'b', '*', '?'];
    const words = (length: number): string[] =>
      length === 0 ? [''] : words(length - 1).flatMap((word) => alphabet.map((letter) => word + letter));
    const names = [1, 2, 3, 4, 5].flatMap((length) => words(length).filter((word) => !/[*?]/.test(word)));
    for (const glob of [0, 1, 2, 3, 4].flatMap(words)) {
      const read = parseGlob(glob);
      const expression = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      for (const name of names)
        expect([glob, name, read.matches(name)]).toEqual([glob, name, expression.test(name)]);
    }
  });
});

describe('which section applies to a client', () => {
  const sectionFor = (name: string, ...globs: string[]) =>
    rememberingRuleFinder({
      clients: globs.map((glob) => ({ glob, ...standby(['p']) })),
      default: standby([]),
    })(name).section;

  test.each<[string, string, string[], string]>([
    ['no section matches', 'alice', ['bob', 'b*'], '[default]'],
    [
      'the exact name, before any glob',
      'a.example.com',
      ['a.example.co?', '*', 'a.example.com'],
      '[client a.example.com]',
    ],
    ['the most other characters', 'a.vans.lan', ['*.lan', '*.vans.lan', '*'], '[client *.vans.lan]'],
    ['characters count, not bytes', '山田ab', ['山田*', '*?ab', 'a*'], '[client 山田*]'],
    ['among these the fewest stars', 'abc', ['*bc*', '?bc*', '*'], '[client ?bc*]'],
    ['among these the first in the file', 'abc', ['a*', '*c'], '[client a*]'],
    ['among these the first in the file, in the other order', 'abc', ['*c', 'a*'], '[client *c]'],
    ['a common name that contains a star matches exactly', 'a*', ['aa*', 'a?', 'a*'], '[client a*]'],
    ['a section with a star also matches other names', 'ab', ['a*'], '[client a*]'],
    [
      'a section without a wildcard matches only its own name',
      'constructor',
      ['toString', '__proto__'],
      '[default]',
    ],
  ])('%s', (_what, name, globs, section) => {
    expect(sectionFor(name, ...globs)).toBe(section);
  });

  test('the rule has all that its section asks for', () => {
    const find = rememberingRuleFinder({
      clients: [
        { glob: 'a*', ...standby(['lte', 'wifi'], 'override') },
        { glob: 'ab', ...standby([]) },
      ],
      default: standby(['wifi']),
    });
    expect(find('abc')).toEqual({ section: '[client a*]', ...standby(['lte', 'wifi'], 'override') });
    expect(find('ab')).toEqual({ section: '[client ab]', ...standby([]) });
    expect(find('x')).toEqual({ section: '[default]', ...standby(['wifi']) });
  });
});

describe('which path an address is on', () => {
  const paths = [
    { name: 'all', prefixes: ['10.0.0.0/8', '2001:db8::/32'] },
    { name: 'wifi', prefixes: ['10.1.0.0/16', '2001:db8:1::/48', '0.0.0.0/0'] },
    { name: 'one', prefixes: ['10.1.2.3/32'] },
  ];
  const find = pathFinder(paths);

  test.each([
    ['10.2.0.1', 'all'],
    ['10.1.0.1', 'wifi'],
    ['10.1.2.3', 'one'],
    ['192.0.2.1', 'wifi'],
    ['::ffff:10.1.2.3', 'one'],
    ['2001:db8:1::5', 'wifi'],
    ['2001:db8:2::5', 'all'],
    ['2001:db9::1', undefined],
    ['nonsense', undefined],
  ])('%s: %s', (address, path) => {
    expect(find(address)).toBe(path);
    for (let time = 0; time < 2; time++) expect(rememberingPathFinder(paths)(address)).toBe(path);
  });

  test('a new list of paths does not use remembered results', () => {
    expect(rememberingPathFinder(paths)('10.2.0.1')).toBe('all');
    expect(rememberingPathFinder([])('10.2.0.1')).toBeUndefined();
  });

  test('no path, if the config has none', () => {
    expect(pathFinder([])('10.0.0.1')).toBeUndefined();
  });
});
