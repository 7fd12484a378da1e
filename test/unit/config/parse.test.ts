import { readFile } from 'node:fs/promises';

import ini from 'ini';
import { describe, expect, test } from 'vitest';

import type { Config } from '../../../src/config/config.js';
import { readLines } from '../../../src/config/lines.js';
import { parseConfig } from '../../../src/config/parse.js';
import { formatProblem } from '../../../src/config/problem.js';
import { standby, STEERING } from '../../support/rules.js';

const SERVER = '[openvpn server]\n';
const CONSOLE = {
  socket: '/run/subflowd/console.sock',
  mode: 0o660,
  overrides: '/var/lib/subflowd/overrides.json',
};

function config(text: string): Config {
  const result = parseConfig(text);
  if (!result.ok) throw new Error(result.problems.map((problem) => formatProblem('ini', problem)).join('\n'));
  return result.config;
}

/** `LINE: [SECTION]: MESSAGE` of everything that is wrong. */
function mistakes(text: string): string[] {
  const result = parseConfig(text);
  return result.ok
    ? []
    : result.problems.map((problem) => formatProblem('ini', problem).replace(/^ini:? ?/, ''));
}

describe('what an admin writes', () => {
  test('the example that admins copy is right', async () => {
    const text = await readFile(new URL('../../../openvpn-conf/subflowd.ini', import.meta.url), 'utf8');
    expect(config(text)).toEqual({
      servers: [
        {
          name: 'server',
          management: { socket: '/run/openvpn-server/management.sock' },
          events: '/run/subflowd/events',
          console: { socket: '/run/subflowd/server.sock' },
        },
      ],
      kernel: { backend: 'auto', layout: 'btf' },
      console: CONSOLE,
      paths: [
        { name: 'wifi', prefixes: ['192.168.100.0/24', '2001:db8:100::/48'] },
        { name: 'lte', prefixes: ['192.168.200.0/24', '2001:db8:200::/48'] },
      ],
      clients: [
        { glob: 'alice.example.com', ...standby(['lte']) },
        { glob: '*.vans.example.com', ...standby(['lte', 'wifi']) },
      ],
      default: standby(['wifi', 'lte']),
      steering: STEERING,
    });
  });

  test('defaults are filled in', () => {
    expect(config('[openvpn]')).toEqual({
      servers: [{ name: 'default', events: '/run/subflowd/events' }],
      kernel: { backend: 'auto', layout: 'btf' },
      console: CONSOLE,
      paths: [],
      clients: [],
      default: standby([]),
      steering: STEERING,
    });
  });

  describe('modes', () => {
    const PATHS = `${SERVER}[path wifi]\nprefix = 192.168.100.0/24\n[path lte]\nprefix = 192.168.200.0/24\n`;

    test('balance, with all that it takes', () => {
      const rule = 'mode = balance\nallowed = lte\nmin-rate = 2mbit/500kbit\ncost = lte 2, wifi 0.5';
      expect(config(`${PATHS}[client a]\n${rule}`).clients).toEqual([
        {
          glob: 'a',
          mode: 'balance',
          primary: [],
          allowed: ['lte'],
          minRate: { down: 2e6, up: 5e5 },
          cost: { lte: 2, wifi: 0.5 },
          peerBackup: 'respect',
        },
      ]);
    });

    test.each([
      ['mode = balance', ['wifi', 'lte']],
      ['mode = load-balancing\nprimary =', ['wifi', 'lte']],
      ['mode = smallest-delay\nprimary = lte', ['lte']],
      ['mode = priority-based\nprimary = lte, wifi', ['lte', 'wifi']],
      ['mode = balance\nprimary = lte\nallowed = wifi', ['wifi']],
    ])('%j allows %j', (rule, allowed) => {
      expect(config(`${PATHS}[default]\n${rule}`).default).toMatchObject({ allowed });
    });

    test.each([
      ['20mbit', { down: 20e6, up: 20e6 }],
      ['50mbit/10mbit', { down: 50e6, up: 10e6 }],
      ['1.5 Gbit / 64 kbit', { down: 1.5e9, up: 64e3 }],
      ['1tbit/8000bit', { down: 1e12, up: 8e3 }],
    ])('capacity = %s', (text, capacity) => {
      const { paths } = config(`${SERVER}[path p]\nprefix = 10.0.0.0/8\ncapacity = ${text}`);
      expect(paths).toEqual([{ name: 'p', prefixes: ['10.0.0.0/8'], capacity }]);
    });

    test('[steering]', () => {
      const text =
        '[steering]\ndry-run = yes\ninterval = 500ms\ndwell = 2min\nmoves = 4\ngain = 7.5%\nmax-subflows = 64';
      const steering = {
        dryRun: true,
        interval: 500,
        dwell: 120_000,
        moves: 4,
        gain: 0.075,
        maxSubflows: 64,
      };
      expect(config(`${SERVER}${text}`).steering).toEqual(steering);
    });
  });

  test.each([
    'alice.example.com',
    'Bob "The Builder"',
    '"quoted"',
    '山田*',
    'a;b',
    'a # b',
    '*',
    'C=DE, O=Example, CN=x',
    'a]b',
    '[x]',
    "O'Neill",
    'back\\slash.x',
    '__proto__',
    'constructor',
    'true',
    'a  b',
  ])('the common name %s works as written', (name) => {
    const text = `${SERVER}[path lte]\nprefix = 10.0.0.0/8\n[client ${name}]\nprimary = lte`;
    expect(config(text).clients).toMatchObject([{ glob: name, primary: ['lte'] }]);
  });

  test("who wins over a client's own wish, and where the layout is from", () => {
    const text = `${SERVER}[kernel]\nlayout = /etc/subflowd/layout.json\n[client a]\nprimary =\npeer-backup = override\n`;
    expect(config(text)).toMatchObject({
      kernel: { layout: '/etc/subflowd/layout.json' },
      clients: [{ glob: 'a', peerBackup: 'override' }],
    });
    expect(mistakes(`${SERVER}[default]\nprimary =\npeer-backup = never`)).toEqual([
      expect.stringContaining('peer-backup: `never` is not known; known: respect, override'),
    ]);
  });

  test('CRLF, a byte order mark, indentation and comments behind anything change nothing', () => {
    const text =
      '\uFEFF# first\r\n  [openvpn a] ; one\r\n\tevents = /run/a ; two\r\n[console] # three\r\nmode=0600\r\n';
    const read = config(text);
    expect(read.servers).toEqual([{ name: 'a', events: '/run/a' }]);
    expect(read.console.mode).toBe(0o600);
  });

  test('quotes and escapes are those of ini', () => {
    expect(config('[openvpn a]\nevents = "/run/a;b"').servers[0]?.events).toBe('/run/a;b');
    expect(config('[openvpn a]\nevents = /run/a\\;b\\#c').servers[0]?.events).toBe('/run/a;b#c');
    expect(config("[openvpn a]\nevents = '/run/a b/'").servers[0]?.events).toBe('/run/a b');
  });

  test('several prefixes: behind commas, on lines of their own, in the array notation of ini', () => {
    const text = `${SERVER}[path p]\nprefix = 10.0.0.0/8, 2001:DB8:0::/32\nprefix = 192.0.2.7/32\nprefix[] = ::ffff:198.51.100.0/120`;
    expect(config(text).paths[0]?.prefixes).toEqual([
      '10.0.0.0/8',
      '2001:db8::/32',
      '192.0.2.7/32',
      '198.51.100.0/24',
    ]);
  });

  test.each([
    ['/run/openvpn/m.sock', { socket: '/run/openvpn/m.sock' }],
    ['/run/openvpn/m.sock unix', { socket: '/run/openvpn/m.sock' }],
    ['/run/open vpn/m.sock', { socket: '/run/open vpn/m.sock' }],
    ['127.0.0.1 7505', { host: '127.0.0.1', port: 7505 }],
    ['127.0.0.1:7505', { host: '127.0.0.1', port: 7505 }],
    ['localhost\t65535', { host: 'localhost', port: 65535 }],
    ['[::1]:1', { host: '::1', port: 1 }],
    ['[0:0::1]:7505', { host: '::1', port: 7505 }],
    ['::1 7505', { host: '::1', port: 7505 }],
  ])('management = %s', (text, management) => {
    expect(config(`[openvpn a]\nmanagement = ${text}`).servers[0]?.management).toEqual(management);
  });

  test('management off loopback goes with a password', () => {
    const text = '[openvpn a]\nmanagement = vpn.example.com:7505\npassword-file = /etc/pw';
    expect(config(text).servers).toEqual([
      {
        name: 'a',
        management: { host: 'vpn.example.com', port: 7505 },
        passwordFile: '/etc/pw',
        events: '/run/subflowd/events',
        console: { socket: '/run/subflowd/a.sock' },
      },
    ]);
  });

  test('a console of its own for each server, beside [console] socket or where its section says', () => {
    const text =
      '[console]\nsocket = /srv/here/console.sock\n[openvpn a]\nmanagement = /m\n[openvpn b]\nevents = /e\n' +
      '[openvpn c]\nmanagement = /n\nconsole = /run/c\nconsole-listen = 192.0.2.1 7505\nconsole-password-file = /pw\n' +
      '[openvpn d]\nmanagement = /o\nconsole-listen = [::1]:7505\nconsole-hangup = yes';
    expect(config(text).servers.map((server) => server.console)).toEqual([
      { socket: '/srv/here/a.sock' },
      undefined,
      { socket: '/run/c', listen: { host: '192.0.2.1', port: 7505 }, passwordFile: '/pw' },
      { socket: '/srv/here/d.sock', listen: { host: '::1', port: 7505 }, hangsUp: true },
    ]);
  });

  test.each([
    ['0660', 0o660],
    ['660', 0o660],
    ['0o600', 0o600],
    ['0', 0],
    ['0777', 0o777],
  ])('mode = %s', (text, mode) => {
    expect(config(`${SERVER}[console]\nmode = ${text}\ngroup = adm`).console).toEqual({
      ...CONSOLE,
      mode,
      group: 'adm',
    });
  });

  test('an empty primary leaves clients as they are', () => {
    expect(config(`${SERVER}[client x]\nprimary =`).clients).toMatchObject([{ glob: 'x', primary: [] }]);
  });

  test('servers may share an events directory where at most one has no management', () => {
    const text = '[openvpn a]\n[openvpn b]\nmanagement = /run/b\n[openvpn c]\nmanagement = /run/c';
    expect(config(text).servers).toHaveLength(3);
  });
});

describe('what an admin gets wrong', () => {
  const PATHS = `${SERVER}[path wifi]\nprefix = 192.168.100.0/24\n[path lte]\nprefix = 192.168.200.0/24\n`;

  test.each<[string, string, string[]]>([
    [
      'a typo in a key',
      `${PATHS}[client a]\nprimray = lte`,
      [
        '7: [client a]: unknown key `primray` (did you mean `primary`?); known here: mode, primary, allowed, min-rate, cost, peer-backup',
      ],
    ],
    [
      'a key of another section',
      '[openvpn a]\nprefix = 10.0.0.0/8',
      [
        '2: [openvpn a]: unknown key `prefix`; known here: management, password-file, management-user, events, console, console-listen, console-password-file, console-hangup',
      ],
    ],
    [
      'a key in capitals',
      '[openvpn a]\nEvents = /run/x',
      [
        '2: [openvpn a]: unknown key `Events` (did you mean `events`?); known here: management, password-file, management-user, events, console, console-listen, console-password-file, console-hangup',
      ],
    ],
    [
      'host bits in a prefix',
      `${SERVER}[path p]\nprefix = 10.0.0.0/8\nprefix = 192.168.100.7/24`,
      [
        '4: [path p]: prefix: `192.168.100.7/24` is an address inside a network; did you mean `192.168.100.0/24`?',
      ],
    ],
    [
      'host bits in an IPv6 prefix, every bad one of a list',
      `${SERVER}[path p]\nprefix = 2001:db8::1/32, nonsense, 10.0.0.0/33`,
      [
        '3: [path p]: prefix: `2001:db8::1/32` is an address inside a network; did you mean `2001:db8::/32`?',
        '3: [path p]: prefix: `nonsense` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32',
        '3: [path p]: prefix: `10.0.0.0/33` needs a length from 0 to 32 after the /',
      ],
    ],
    [
      'a prefix without a length',
      `${SERVER}[path p]\nprefix = 192.168.100.0`,
      [
        "3: [path p]: prefix: `192.168.100.0` has no length; write 192.168.100.0/32 for this one address, or the network's own length",
      ],
    ],
    [
      'an empty item',
      `${SERVER}[path p]\nprefix = 10.0.0.0/8,`,
      ['3: [path p]: prefix: an item beside a comma is empty'],
    ],
    [
      'spellings of addresses that nobody means',
      `${SERVER}[path p]\nprefix = 10.1/16, 0x0a000000/8, fe80::%eth0/64, 10.0.0.0/, 10.0.0.0/ 8`,
      [
        '3: [path p]: prefix: `10.1/16` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32',
        '3: [path p]: prefix: `0x0a000000/8` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32',
        '3: [path p]: prefix: `fe80::%eth0/64` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32',
        '3: [path p]: prefix: `10.0.0.0/` needs a length from 0 to 32 after the /',
        '3: [path p]: prefix: `10.0.0.0/ 8` needs a length from 0 to 32 after the /',
      ],
    ],
    [
      'two paths that overlap',
      `${SERVER}[path wifi]\nprefix = 192.168.0.0/16\n[path lte]\nprefix = 10.0.0.0/8\nprefix = 192.168.200.0/24`,
      [
        '6: [path lte]: prefix: paths wifi (192.168.0.0/16, line 3) and lte (192.168.200.0/24) overlap in 192.168.200.0/24; an address can be on one path only',
      ],
    ],
    [
      'the larger of two overlapping paths comes later',
      `${SERVER}[path wifi]\nprefix = 2001:db8:1::/48\n[path all]\nprefix = ::/0`,
      [
        '5: [path all]: prefix: paths wifi (2001:db8:1::/48, line 3) and all (::/0) overlap in 2001:db8:1::/48; an address can be on one path only',
      ],
    ],
    [
      'a v4-mapped prefix that overlaps an IPv4 one',
      `${SERVER}[path a]\nprefix = 10.0.0.0/8\n[path b]\nprefix = ::ffff:10.0.0.0/104`,
      [
        '5: [path b]: prefix: paths a (10.0.0.0/8, line 3) and b (10.0.0.0/8) overlap in 10.0.0.0/8; an address can be on one path only',
      ],
    ],
    [
      'a path nobody defined',
      `${PATHS}[client a]\nprimary = lte, wfii`,
      ['7: [client a]: primary: no [path wfii] is defined (did you mean `wifi`?); known: wifi, lte'],
    ],
    [
      'a path nobody defined, in the default',
      `${SERVER}[default]\nprimary = lte`,
      ['3: [default]: primary: no [path lte] is defined; the file defines no path'],
    ],
    [
      'a console that others reach without a password',
      '[openvpn a]\nmanagement = /m\nconsole-listen = 0.0.0.0 7505',
      ['3: [openvpn a]: console-listen: 0.0.0.0 can be reached from other hosts; set console-password-file'],
    ],
    [
      'a console of nothing',
      '[openvpn a]\nconsole = /c',
      ['2: [openvpn a]: console: there is nothing to share without management; set management'],
    ],
    [
      'a console password without TCP',
      '[openvpn a]\nmanagement = /m\nconsole-password-file = /pw',
      ['3: [openvpn a]: console-password-file: it is only for TCP; set console-listen, or remove this line'],
    ],
    [
      'two consoles at one place',
      '[openvpn console]\nmanagement = /m\n[openvpn a]\nmanagement = /n\nconsole = /c\n[openvpn b]\nmanagement = /o\nconsole = /c',
      [
        '1: [openvpn console]: its console is at /run/subflowd/console.sock, and so is that of [console]; set another address in one of them',
        '6: [openvpn b]: its console is at /c, and so is that of [openvpn a]; set another address in one of them',
      ],
    ],
    [
      'a path whose prefix is wrong is defined all the same',
      `${SERVER}[path p]\nprefix = x\n[default]\nprimary = p`,
      ['3: [path p]: prefix: `x` is not a network; write one as 192.0.2.0/24 or 2001:db8::/32'],
    ],
    [
      'one path wanted twice',
      `${PATHS}[default]\nprimary = lte, wifi, lte`,
      ['7: [default]: primary: `lte` is listed twice'],
    ],
    [
      'a rule without primary',
      `${PATHS}[client a]\n[default]`,
      [
        '6: [client a]: needs a `primary`: `primary =` without a value leaves such clients as they are',
        '7: [default]: needs a `primary`: `primary =` without a value leaves such clients as they are',
      ],
    ],
    [
      'a capacity of nothing, an absurd one, and three without sense',
      `${SERVER}${['0mbit', '900tbit', '20', '20mbps', '1mbit/2mbit/3mbit'].map((capacity, index) => `[path p${index}]\nprefix = 10.${index}.0.0/16\ncapacity = ${capacity}`).join('\n')}`,
      [
        '4: [path p0]: capacity: `0mbit` is not from 1kbit to 1tbit; remove the line if the rate is not known',
        '7: [path p1]: capacity: `900tbit` is not from 1kbit to 1tbit; remove the line if the rate is not known',
        '10: [path p2]: capacity: `20` is not a rate; write a number and its unit (bit, kbit, mbit, gbit, tbit), e.g. 20mbit, or 50mbit/10mbit for down/up',
        '13: [path p3]: capacity: `20mbps` is not a rate; write a number and its unit (bit, kbit, mbit, gbit, tbit), e.g. 20mbit, or 50mbit/10mbit for down/up',
        '16: [path p4]: capacity: `1mbit/2mbit/3mbit` has more than two directions; write DOWN/UP',
      ],
    ],
    [
      'a mode that there is not',
      `${PATHS}[default]\nmode = balanced\nprimary = lte`,
      [
        '7: [default]: mode: `balanced` is not known; known: active-standby, smallest-delay, priority-based, load-balancing, balance',
      ],
    ],
    [
      'what a mode needs',
      `${PATHS}[client a]\nmode = active-standby\n[client b]\nmode = priority-based\n[client c]\nmode = priority-based\nprimary = lte`,
      [
        '6: [client a]: needs a `primary`: `primary =` without a value leaves such clients as they are',
        '8: [client b]: needs a `primary`: priority-based needs at least two paths, in the order in which they join',
        '12: [client c]: primary: priority-based needs at least two paths, in the order in which they join',
      ],
    ],
    [
      'allowed and costs of paths that there are not, and costs that are none',
      `${PATHS}[client a]\nmode = balance\nallowed = wfi\ncost = lt 2, lte 0, lte\n[client b]\nmode = balance\nallowed =\ncost = lte 2, lte 3\n[client c]\nmode = balance\nallowed = wfi\ncost = lt 2`,
      [
        '9: [client a]: cost: `lte 0` is not a path and a number from 0.01 to 100; write for example lte 2, if each bit on lte counts twice',
        '9: [client a]: cost: `lte` is not a path and a number from 0.01 to 100; write for example lte 2, if each bit on lte counts twice',
        '12: [client b]: allowed: no path is listed; remove the line to allow all paths',
        '13: [client b]: cost: a path is listed twice',
        '16: [client c]: allowed: no [path wfi] is defined (did you mean `wifi`?); known: wifi, lte',
        '17: [client c]: cost: no [path lt] is defined (did you mean `lte`?); known: wifi, lte',
      ],
    ],
    [
      'a primary that is not allowed',
      `${PATHS}[default]\nprimary = lte, wifi\nallowed = lte`,
      ['7: [default]: primary: wifi is not listed in `allowed`; add it there'],
    ],
    [
      'everything of [steering]',
      `${SERVER}[steering x]\n[steering]\ndry-run = maybe\ninterval = 5\ndwell = 2d\nmoves = 0\ngain = 0.1\nmax-subflows = 1`,
      [
        '2: [steering x]: takes no name; write [steering]',
        '4: [steering]: dry-run: `maybe` is not known; known: yes, no',
        '5: [steering]: interval: `5` is not a time; write a number and its unit (ms, s, min, h), e.g. 10s',
        '6: [steering]: dwell: `2d` is not a time; write a number and its unit (ms, s, min, h), e.g. 10s',
        '7: [steering]: moves: `0` is not a whole number from 1 to 10000',
        '8: [steering]: gain: `0.1` is not from 0% to 50%',
        '9: [steering]: max-subflows: `1` is not a whole number from 2 to 64',
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
      'a path without prefix',
      `${SERVER}[path p]`,
      ['2: [path p]: needs a `prefix`, e.g. prefix = 192.0.2.0/24'],
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
      'a section with a name too many',
      `${SERVER}[kernel x]`,
      ['2: [kernel x]: takes no name; write [kernel]'],
    ],
    [
      'a section twice',
      `${PATHS}[client a.b]\nprimary = lte\n[client a.b]\nprimary = wifi`,
      ['8: [client a.b]: is already on line 6; join the two sections'],
    ],
    [
      'two servers of one name',
      '[openvpn]\n[openvpn default]',
      ['2: [openvpn default]: is already on line 1, as [openvpn]; join the two sections'],
    ],
    [
      'a key twice',
      `${PATHS}[default]\nprimary = lte\nprimary = wifi`,
      ['8: [default]: primary is already on line 7; keep one of the two'],
    ],
    [
      'servers that nobody can tell apart',
      '[openvpn a]\n[openvpn b]\nmanagement = /run/b\n[openvpn c]\nevents = /run/subflowd/../subflowd/events/',
      [
        '5: [openvpn c]: shares the events directory /run/subflowd/events with [openvpn a] (line 1), and neither has management. So subflowd cannot know which of the two a client is connected to; set management or another events directory in one of them',
      ],
    ],
    [
      'management open to the network without a password',
      '[openvpn a]\nmanagement = 192.0.2.1 7505',
      [
        '2: [openvpn a]: management: 192.0.2.1 can be reached from other hosts; set password-file here and in OpenVPN, or use a unix socket',
      ],
    ],
    [
      'a password where its file is to be named, which is not repeated',
      '[openvpn a]\nmanagement = 127.0.0.1 7505 lilies\npassword-file = lilies\nconsole-password-file = lilies',
      [
        '2: [openvpn a]: management: it has too many words; write /PATH, HOST PORT, HOST:PORT or [IPV6]:PORT; a password file goes into password-file',
        '3: [openvpn a]: password-file: the value is not an absolute path; write the path of a file, which begins with /',
        '4: [openvpn a]: console-password-file: the value is not an absolute path; write the path of a file, which begins with /',
      ],
    ],
    [
      'a password for nothing',
      '[openvpn a]\npassword-file = /etc/pw',
      ['2: [openvpn a]: password-file has no effect without management; set management, or remove this line'],
    ],
    [
      'a backend that is not there',
      `${SERVER}[kernel]\nbackend = magic\nlayout = guess`,
      [
        '3: [kernel]: backend: `magic` is not known; known: auto, netlink, devmem',
        '4: [kernel]: layout: `guess` is neither btf nor an absolute path',
      ],
    ],
    [
      'a console nobody can make',
      `${SERVER}[console]\nsocket = run/x\nmode = 0980\ngroup = a b`,
      [
        '3: [console]: socket: `run/x` is not an absolute path; begin it with /',
        '4: [console]: mode: `0980` is not a mode; write it in octal, from 0000 to 0777, e.g. 0660',
        "5: [console]: group: `a b` is not a group's name",
      ],
    ],
    [
      'a mode out of range',
      `${SERVER}[console]\nmode = 1777`,
      ['3: [console]: mode: `1777` is not a mode; write it in octal, from 0000 to 0777, e.g. 0660'],
    ],
    [
      'a socket path that does not fit',
      `${SERVER}[console]\nsocket = /${'x'.repeat(107)}`,
      ["3: [console]: socket: a socket's path has at most 107 bytes, and this one has 108"],
    ],
    [
      'names nobody can type',
      '[openvpn a b]\n[path auto]\nprefix = 10.0.0.0/8\n[path a,b]\nprefix = 11.0.0.0/8',
      [
        '1: [openvpn a b]: `a b` is not a name; a name has 1 to 64 letters, digits and _ . @ + -, the first a letter, a digit or _',
        '2: [path auto]: no path can be named `auto`: that word takes an override back',
        '4: [path a,b]: `a,b` is not a name; a name has 1 to 64 letters, digits and _ . @ + -, the first a letter, a digit or _',
      ],
    ],
    [
      'lines that are neither key nor section',
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
    ['a file far too large', '#'.repeat(1_048_577), ['is larger than 1048576 characters']],
  ])('%s', (_what, text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  test.each([
    ['127.0.0.1', '`127.0.0.1` has no port'],
    ['127.0.0.1 0', '`0` is not a port'],
    ['127.0.0.1:65536', '`65536` is not a port'],
    ['127.0.0.1 7505 /etc/pw', 'it has too many words'],
    ['::1:7505', '`::1:7505` does not say where the address ends'],
    ['[::g]:7505', '`::g` is not an IPv6 address'],
    ['[localhost]:99999', '`99999` is not a port'],
    ['256.0.0.1:7505', '`256.0.0.1` is not a host'],
    ['run/m.sock unix', '`run/m.sock` is not an absolute path'],
    ['-x:7505', '`-x` is not a host'],
    [':7505', '`` is not a host'],
    ['', '`` has no port'],
  ])('management = %s', (text, message) => {
    const [only, ...others] = mistakes(`[openvpn a]\nmanagement = ${text}`);
    expect(only).toContain(`2: [openvpn a]: management: ${message}`);
    expect(others).toEqual([]);
  });

  test('everything that is wrong is told at once, in the order of the file', () => {
    const text = '[path p]\nprefix = x\n[default]\nprimary = q\n[openvpn a]\nmanagment = /m';
    expect(mistakes(text).map((mistake) => mistake.split(':')[0])).toEqual(['2', '4', '6']);
  });

  test('thousands of overlapping prefixes take no time worth mentioning', () => {
    const prefixes = Array.from(
      { length: 12_000 },
      (_, index) => `prefix = 10.${index >> 8}.${index & 255}.0/24\n`,
    );
    const text = `${SERVER}[path all]\nprefix = 10.0.0.0/8\n[path p]\n${prefixes.join('')}`;
    const told = mistakes(text);
    expect(told).toHaveLength(101);
    expect(told.at(-1)).toBe('and 11900 more mistakes');
  });

  test('a value that is quoted is cut where it is as long as the file', () => {
    const [told = ''] = mistakes(`${SERVER}[default]\nprimary =\nmin-rate = ${'1'.repeat(1_000_000)}`);
    expect(told).toMatch(/^4: \[default\]: min-rate: `111/);
    expect(told.length).toBeLessThan(2100);
  });
});

test('sections and keys are those that ini reads from the whole text', () => {
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
