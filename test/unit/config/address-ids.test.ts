import { describe, expect, it } from 'vitest';
import { pathsText } from '../../../src/console/text/config.js';
import { mistakes, parsed, SERVER } from '../../support/config-text.js';

const path = (name: string, ...lines: readonly string[]) => `[path ${name}]\n${lines.join('\n')}\n`;
const PREFIX = 'prefix = 198.51.100.0/24';

describe('address-id', () => {
  it('is a list, with or instead of prefixes', () => {
    const config = parsed(
      `${SERVER}${path('wifi', PREFIX, 'address-id = 3, 0')}${path('lte', 'address-id = 255')}`,
    );
    expect(config.paths).toEqual([
      { name: 'wifi', prefixes: ['198.51.100.0/24'], addressIds: [0, 3], maxLoss: 0.1 },
      { name: 'lte', prefixes: [], addressIds: [255], maxLoss: 0.1 },
    ]);
    expect(pathsText(config, [], [])).toEqual([
      'path wifi: 198.51.100.0/24 with address ID 0 or 3: primary of 0 sessions, 0 of 0 subflows active',
      'path lte: address ID 255: primary of 0 sessions, 0 of 0 subflows active',
    ]);
  });

  it.each([
    [
      'the same prefix and other IDs',
      path('a', PREFIX, 'address-id = 0'),
      path('b', PREFIX, 'address-id = 1'),
    ],
    ['the same prefix, and IDs in one of them', path('a', PREFIX), path('b', PREFIX, 'address-id = 1')],
    ['IDs alone in one of them', path('a', PREFIX), path('b', 'address-id = 1')],
    [
      'the same ID and other prefixes',
      path('a', PREFIX, 'address-id = 1'),
      path('b', 'prefix = 10.0.0.0/8', 'address-id = 1'),
    ],
  ])('two paths may have %s', (_, one, other) => {
    expect(mistakes(SERVER + one + other)).toEqual([]);
  });

  it.each([
    [
      'the same ID and prefixes that overlap',
      path('a', PREFIX, 'address-id = 0, 1') + path('b', 'prefix = 198.51.0.0/16', 'address-id = 1, 0'),
      [
        '6: [path b]: prefix: paths a (198.51.100.0/24, line 3) and b (198.51.0.0/16) overlap in 198.51.100.0/24, and both ' +
          'have the address ID 0; an address can be on one path only, unless address-id differs',
      ],
    ],
    [
      'the same ID, if one has no prefix',
      path('a', 'address-id = 1') + path('b', PREFIX, 'address-id = 2, 1'),
      [
        '6: [path b]: address-id: paths a (line 3) and b both have the address ID 1, and a has no prefix, so it has every ' +
          'address; write different IDs, or a prefix in both',
      ],
    ],
    [
      'the same ID, if none has a prefix',
      path('a', 'address-id = 1') + path('b', 'address-id = 1'),
      [
        '5: [path b]: address-id: paths a (line 3) and b both have the address ID 1, and a has no prefix, so it has every ' +
          'address; write different IDs, or a prefix in both',
      ],
    ],
  ])('two paths may not have %s', (_, text, expected) => {
    expect(mistakes(SERVER + text)).toEqual(expected);
  });

  it.each([
    ['256', '`256` is not a whole number from 0 to 255'],
    ['wifi', '`wifi` is not a whole number from 0 to 255'],
    ['1,', 'an item beside a comma is empty'],
    ['1, 1', '`1` is listed twice'],
    [Array.from({ length: 17 }, (_, id) => id).join(), 'it lists 17; 16 are read at most'],
  ])('= %s is a mistake', (value, message) => {
    expect(mistakes(`${SERVER}${path('a', `address-id = ${value}`)}`)).toEqual([
      `3: [path a]: address-id: ${message}`,
    ]);
  });
});
