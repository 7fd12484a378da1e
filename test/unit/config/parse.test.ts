import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { mistakes, parsed, PATHS, SERVER } from '../../support/config-text.js';
import { standby, STEERING } from '../../support/config.js';

const CONSOLE = {
  socket: '/run/subflowd/console.sock',
  mode: 0o660,
  overrides: '/var/lib/subflowd/overrides.json',
  quotas: '/var/lib/subflowd/quotas.json',
};

describe('a config without mistakes', () => {
  test('the example file has no mistakes', async () => {
    const text = await readFile(new URL('../../../openvpn-conf/subflowd.ini', import.meta.url), 'utf8');
    expect(parsed(text)).toEqual({
      servers: [
        {
          name: 'server',
          management: { socket: '/run/subflowd/management/server.sock' },
          events: '/run/subflowd/events',
          console: { socket: '/run/subflowd/server.sock' },
        },
      ],
      kernel: { backend: 'auto', layout: 'btf' },
      console: CONSOLE,
      paths: [
        { name: 'wifi', prefixes: ['192.168.100.0/24', '2001:db8:100::/48'], maxLoss: 0.1 },
        { name: 'lte', prefixes: ['192.168.200.0/24', '2001:db8:200::/48'], maxLoss: 0.1 },
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
    expect(parsed('[openvpn]')).toEqual({
      servers: [{ name: 'default', events: '/run/subflowd/events' }],
      kernel: { backend: 'auto', layout: 'btf' },
      console: CONSOLE,
      paths: [],
      clients: [],
      default: standby([]),
      steering: STEERING,
    });
  });

  describe('keys of modes and paths', () => {
    test('balance has the keys allowed, min-rate and cost', () => {
      const rule = 'mode = balance\nallowed = lte\nmin-rate = 2mbit/500kbit\ncost = lte 2, wifi 0.5';
      expect(parsed(`${PATHS}[client a]\n${rule}`).clients).toEqual([
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

    test('balance has the key both, which is off unless it is written', () => {
      expect(parsed(`${PATHS}[default]\nmode = balance\nboth = when-full`).default).toMatchObject({
        both: 'when-full',
      });
      for (const off of ['', 'both = never'])
        expect(parsed(`${PATHS}[default]\nmode = balance\n${off}`).default).not.toHaveProperty('both');
    });

    test.each([
      ['mode = balance', ['wifi', 'lte']],
      ['mode = load-balancing\nprimary =', ['wifi', 'lte']],
      ['mode = smallest-delay\nprimary = lte', ['lte']],
      ['mode = priority-based\nprimary = lte, wifi', ['lte', 'wifi']],
      ['mode = balance\nprimary = lte\nallowed = wifi', ['wifi']],
    ])('%j allows %j', (rule, allowed) => {
      expect(parsed(`${PATHS}[default]\n${rule}`).default).toMatchObject({ allowed });
    });

    test.each([
      ['20mbit', { down: 20e6, up: 20e6 }],
      ['50mbit/10mbit', { down: 50e6, up: 10e6 }],
      ['1.5 Gbit / 64 kbit', { down: 1.5e9, up: 64e3 }],
      ['1tbit/8000bit', { down: 1e12, up: 8e3 }],
    ])('capacity = %s', (text, capacity) => {
      const { paths } = parsed(`${SERVER}[path p]\nprefix = 10.0.0.0/8\ncapacity = ${text}`);
      expect(paths).toEqual([{ name: 'p', prefixes: ['10.0.0.0/8'], capacity, maxLoss: 0.1 }]);
    });

    test('max-loss and max-delay', () => {
      const { paths } = parsed(`${SERVER}[path p]\nprefix = 10.0.0.0/8\nmax-loss = 4%\nmax-delay = 300ms`);
      expect(paths).toEqual([{ name: 'p', prefixes: ['10.0.0.0/8'], maxLoss: 0.04, maxDelay: 300 }]);
    });

    test.each([
      ['max-loss = 51%', '[path p]: max-loss: `51%` is not from 0% to 50%'],
      [
        'max-delay = 300',
        '[path p]: max-delay: `300` is not a time; write a number and its unit (ms, s, min, h), e.g. 10s',
      ],
      ['max-delay = 2h', '[path p]: max-delay: `2h` is not from 1ms to 1min'],
    ])('%s is a mistake', (line, mistake) => {
      expect(mistakes(`${SERVER}[path p]\nprefix = 10.0.0.0/8\n${line}`)).toEqual([
        expect.stringContaining(mistake),
      ]);
    });

    test('[steering] has all its keys', () => {
      const text =
        '[steering]\ndry-run = yes\ninterval = 500ms\ndwell = 2min\nmoves = 4\ngain = 7.5%\nmax-subflows = 256';
      const steering = {
        dryRun: true,
        interval: 500,
        dwell: 120_000,
        moves: 4,
        gain: 0.075,
        maxSubflows: 256,
      };
      expect(parsed(`${SERVER}${text}`).steering).toEqual(steering);
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
  ])('the common name %s needs no escapes', (name) => {
    const text = `${SERVER}[path lte]\nprefix = 10.0.0.0/8\n[client ${name}]\nprimary = lte`;
    expect(parsed(text).clients).toMatchObject([{ glob: name, primary: ['lte'] }]);
  });

  test('peer-backup and layout are read', () => {
    const text = `${SERVER}[kernel]\nlayout = /etc/subflowd/layout.json\n[client a]\nprimary =\npeer-backup = override\n`;
    expect(parsed(text)).toMatchObject({
      kernel: { layout: '/etc/subflowd/layout.json' },
      clients: [{ glob: 'a', peerBackup: 'override' }],
    });
    expect(mistakes(`${SERVER}[default]\nprimary =\npeer-backup = never`)).toEqual([
      expect.stringContaining('peer-backup: `never` is not known; known: respect, override'),
    ]);
  });

  test('CRLF, a byte order mark, indentation and trailing comments make no difference', () => {
    const text =
      '\uFEFF# first\r\n  [openvpn a] ; one\r\n\tevents = /run/a ; two\r\n[console] # three\r\nmode=0600\r\n';
    const read = parsed(text);
    expect(read.servers).toEqual([{ name: 'a', events: '/run/a' }]);
    expect(read.console.mode).toBe(0o600);
  });

  test('quotes and escapes work as in ini', () => {
    expect(parsed('[openvpn a]\nevents = "/run/a;b"').servers[0]?.events).toBe('/run/a;b');
    expect(parsed('[openvpn a]\nevents = /run/a\\;b\\#c').servers[0]?.events).toBe('/run/a;b#c');
    expect(parsed("[openvpn a]\nevents = '/run/a b/'").servers[0]?.events).toBe('/run/a b');
  });

  test('several prefixes can be listed with commas, on several lines, and in the array notation of ini', () => {
    const text = `${SERVER}[path p]\nprefix = 10.0.0.0/8, 2001:DB8:0::/32\nprefix = 192.0.2.7/32\nprefix[] = ::ffff:198.51.100.0/120`;
    expect(parsed(text).paths[0]?.prefixes).toEqual([
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
    expect(parsed(`[openvpn a]\nmanagement = ${text}`).servers[0]?.management).toEqual(management);
  });

  test('management on the network is accepted with a password file', () => {
    const text = '[openvpn a]\nmanagement = vpn.example.com:7505\npassword-file = /etc/pw';
    expect(parsed(text).servers).toEqual([
      {
        name: 'a',
        management: { host: 'vpn.example.com', port: 7505 },
        passwordFile: '/etc/pw',
        events: '/run/subflowd/events',
        console: { socket: '/run/subflowd/a.sock' },
      },
    ]);
  });

  test('each server has its own console, beside [console] socket or where its section says', () => {
    const text =
      '[console]\nsocket = /srv/here/console.sock\n[openvpn a]\nmanagement = /m\n[openvpn b]\nevents = /e\n' +
      '[openvpn c]\nmanagement = /n\nconsole = /run/c\nconsole-listen = 192.0.2.1 7505\nconsole-password-file = /pw\n' +
      '[openvpn d]\nmanagement = /o\nconsole-listen = [::1]:7505\nconsole-hangup = yes\n' +
      '[openvpn e]\nmanagement = /p\nconsole-auth = /run/auth unix\nconsole-password-file = /pw\n' +
      '[openvpn f]\nmanagement = /q\nconsole-auth = 127.0.0.1 7505';
    expect(parsed(text).servers.map((server) => server.console)).toEqual([
      { socket: '/srv/here/a.sock' },
      undefined,
      { socket: '/run/c', listen: { host: '192.0.2.1', port: 7505 }, passwordFile: '/pw' },
      { socket: '/srv/here/d.sock', listen: { host: '::1', port: 7505 }, hangsUp: true },
      { socket: '/srv/here/e.sock', auth: { socket: '/run/auth' }, passwordFile: '/pw' },
      { socket: '/srv/here/f.sock', auth: { host: '127.0.0.1', port: 7505 } },
    ]);
  });

  test.each([
    ['0660', 0o660],
    ['660', 0o660],
    ['0o600', 0o600],
    ['0', 0],
    ['0777', 0o777],
  ])('mode = %s', (text, mode) => {
    expect(parsed(`${SERVER}[console]\nmode = ${text}\ngroup = adm`).console).toEqual({
      ...CONSOLE,
      mode,
      group: 'adm',
    });
  });

  test('an empty primary is accepted', () => {
    expect(parsed(`${SERVER}[client x]\nprimary =`).clients).toMatchObject([{ glob: 'x', primary: [] }]);
  });

  test('servers can share an events directory if at most one has no management', () => {
    const text = '[openvpn a]\n[openvpn b]\nmanagement = /run/b\n[openvpn c]\nmanagement = /run/c';
    expect(parsed(text).servers).toHaveLength(3);
  });
});
