import { describe, expect, test } from 'vitest';
import { mistakes, PATHS, SERVER } from '../../support/config-text.js';

describe('mistakes of other sections, and of lines, are reported:', () => {
  test.each<[string, string, string[]]>([
    [
      'a typo in a key',
      `${PATHS}[client a]\nprimray = lte`,
      [
        '7: [client a]: unknown key `primray` (did you mean `primary`?); known here: mode, primary, allowed, min-rate, cost, quota, quota-day, rejoin-after, both, peer-backup',
      ],
    ],
    [
      'a key of another section',
      '[openvpn a]\nprefix = 10.0.0.0/8',
      [
        '2: [openvpn a]: unknown key `prefix`; known here: management, password-file, management-user, events, console, console-listen, console-auth, console-password-file, console-hangup, announce',
      ],
    ],
    [
      'a key in capitals',
      '[openvpn a]\nEvents = /run/x',
      [
        '2: [openvpn a]: unknown key `Events` (did you mean `events`?); known here: management, password-file, management-user, events, console, console-listen, console-auth, console-password-file, console-hangup, announce',
      ],
    ],
    [
      'every wrong value of [steering]',
      `${SERVER}[steering x]\n[steering]\ndry-run = maybe\ninterval = 5\ndwell = 2d\nmoves = 0\ngain = 0.1\nmax-subflows = 1`,
      [
        '2: [steering x]: cannot have a name; write [steering]',
        '4: [steering]: dry-run: `maybe` is not known; known: yes, no',
        '5: [steering]: interval: `5` is not a time; write a number and its unit (ms, s, min, h), e.g. 10s',
        '6: [steering]: dwell: `2d` is not a time; write a number and its unit (ms, s, min, h), e.g. 10s',
        '7: [steering]: moves: `0` is not a whole number from 1 to 10000',
        '8: [steering]: gain: `0.1` is not from 0% to 50%',
        '9: [steering]: max-subflows: `1` is not a whole number from 2 to 256',
      ],
    ],
    [
      'times that are too short or too long',
      `${SERVER}[steering]\ninterval = 1ms\ndwell = 25h\ngain = 51%`,
      [
        '3: [steering]: interval: `1ms` is not from 100ms to 1min',
        '4: [steering]: dwell: `25h` is not from 0ms to 24h',
        '5: [steering]: gain: `51%` is not from 0% to 50%',
      ],
    ],
    [
      'no server',
      '[path p]\nprefix = 10.0.0.0/8',
      ['no [openvpn NAME] section; name at least one OpenVPN server'],
    ],
    [
      'an unknown kind of section',
      `${SERVER}[clinet a]\nprimary = x`,
      [
        '2: [clinet a]: unknown kind of section `clinet` (did you mean `client`?); known: [openvpn NAME], [kernel], [console], [path NAME], [client GLOB], [default], [steering]',
      ],
    ],
    ['a section without its name', `${SERVER}[client]`, ['2: [client]: has no name; write [client GLOB]']],
    [
      'a name in a section that takes none',
      `${SERVER}[kernel x]`,
      ['2: [kernel x]: cannot have a name; write [kernel]'],
    ],
    [
      'a section twice',
      `${PATHS}[client a.b]\nprimary = lte\n[client a.b]\nprimary = wifi`,
      ['8: [client a.b]: is already on line 6; join the two sections'],
    ],
    [
      'a key twice',
      `${PATHS}[default]\nprimary = lte\nprimary = wifi`,
      ['8: [default]: primary is already on line 7; keep one of the two'],
    ],
    [
      'an unknown backend',
      `${SERVER}[kernel]\nbackend = magic\nlayout = guess`,
      [
        '3: [kernel]: backend: `magic` is not known; known: auto, netlink, devmem',
        '4: [kernel]: layout: `guess` is neither btf nor an absolute path',
      ],
    ],
    [
      'wrong values of [console]',
      `${SERVER}[console]\nsocket = run/x\nmode = 0980\ngroup = a b`,
      [
        '3: [console]: socket: `run/x` is not an absolute path; begin it with /',
        '4: [console]: mode: `0980` is not a mode; write it in octal, from 0000 to 0777, e.g. 0660',
        "5: [console]: group: `a b` is not a group's name",
      ],
    ],
    [
      'socket permissions out of range',
      `${SERVER}[console]\nmode = 1777`,
      ['3: [console]: mode: `1777` is not a mode; write it in octal, from 0000 to 0777, e.g. 0660'],
    ],
    [
      'names with forbidden characters',
      '[openvpn a b]\n[path auto]\nprefix = 10.0.0.0/8\n[path a,b]\nprefix = 11.0.0.0/8',
      [
        '1: [openvpn a b]: `a b` is not a name; a name has 1 to 64 letters, digits and _ . @ + -, the first a letter, a digit or _',
        '2: [path auto]: no path can be named `auto`: that word removes an override',
        '4: [path a,b]: `a,b` is not a name; a name has 1 to 64 letters, digits and _ . @ + -, the first a letter, a digit or _',
      ],
    ],
    [
      'lines that are neither keys nor sections',
      "stray = 1\n[openvpn a]\nevents\n= 3\n[path p\n__proto__ = 1\n'null' = 2\nevents = '{\"a\":1}'",
      [
        '1: stray is before the first section; put it below a [SECTION] line',
        '3: [openvpn a]: events has no value; write events = VALUE',
        '4: [openvpn a]: not understood: "= 3"; write KEY = VALUE',
        '5: not understood: "[path p"; a section is alone on its line and ends with ]',
        '6: [openvpn a]: not understood: "__proto__ = 1"; write KEY = VALUE',
        '7: [openvpn a]: not understood: "\'null\' = 2"; write KEY = VALUE',
        '8: [openvpn a]: events has a value that is not plain text; write it without quotes',
      ],
    ],
    ['an empty file', ' \n\t\n', ['the file is empty']],
    ['a file that is too large', '#'.repeat(1_048_577), ['is larger than 1048576 characters']],
  ])('%s', (_what, text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  test('all mistakes are reported together, in the order of the file', () => {
    const text = '[path p]\nprefix = x\n[default]\nprimary = q\n[openvpn a]\nmanagment = /m';
    expect(mistakes(text).map((mistake) => mistake.split(':')[0])).toEqual(['2', '4', '6']);
  });

  test('thousands of overlapping prefixes are counted, and the first hundred reported', () => {
    const prefixes = Array.from(
      { length: 12_000 },
      (_, index) => `prefix = 10.${index >> 8}.${index & 255}.0/24\n`,
    );
    const text = `${SERVER}[path all]\nprefix = 10.0.0.0/8\n[path p]\n${prefixes.join('')}`;
    const reported = mistakes(text);
    expect(reported).toHaveLength(101);
    expect(reported.at(-1)).toBe('and 11900 more mistakes');
  });

  test('a message cuts a quoted value that is as long as the file', () => {
    const [reported = ''] = mistakes(`${SERVER}[default]\nprimary =\nmin-rate = ${'1'.repeat(1_000_000)}`);
    expect(reported).toMatch(/^4: \[default\]: min-rate: `111/);
    expect(reported.length).toBeLessThan(2100);
  });
});
