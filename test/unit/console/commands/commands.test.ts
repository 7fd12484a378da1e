import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../../../src/console/commands/commands.js';
import { USAGES, usageText } from '../../../../src/console/common/mptcp-commands.js';
import { sendEvents } from '../../../../src/console/text/events.js';
import type { DaemonStatus } from '../../../../src/api/status.js';
import { quoteWord } from '../../../../src/util/words.js';
import { ConfigError } from '../../../../src/config/problem.js';
import { LTE, PID, SERVER, WIFI } from '../../../support/alice.js';
import { client, Steered, switchOf } from '../steered.js';
import { standby } from '../../../support/config.js';

let directory: string;
let daemon: Steered;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  daemon = new Steered(join(directory, 'overrides.json'), [client('alice'), client('bob')]);
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function lines(command: string): Promise<readonly string[]> {
  return (await runCommand(daemon, command)).lines;
}

const NAMES = [
  'alice example',
  'Bob "The" Builder',
  'back\\slash',
  "O'Neil",
  '山田太郎',
  'END',
  'ERROR: x',
  'SUCCESS: x',
  '>X',
  'lab/nobody',
  'auto',
  '',
];

describe('help', () => {
  it.each(['help', 'mptcp', 'mptcp help', '  help  '])('%j lists every command', async (command) => {
    const text = (await lines(command)).join('\n');
    for (const known of [...USAGES.map(usageText), 'exit']) expect(text).toContain(known);
    expect(text.endsWith('\nEND')).toBe(true);
  });
});

it.each(['', '   ', '\t'])('an empty line (%j) has no answer', async (command) => {
  expect(await runCommand(daemon, command)).toEqual({ lines: [] });
});

it.each(['exit', 'quit'])('%s closes the connection', async (command) => {
  expect(await runCommand(daemon, command)).toEqual({ lines: [], closesConnection: true });
});

it.each([
  ['stauts', 'unknown command "stauts", try help'],
  ['END', 'unknown command "END", try help'],
  ['mptcp stauts', 'unknown command "mptcp stauts", try mptcp help'],
  ['mptcp status xml', 'no client "xml" is connected: status shows which are'],
  ['mptcp status json more', 'mptcp status takes no parameter, a CLIENT, or json'],
  ['mptcp paths x', 'mptcp paths takes no parameter, or json'],
  ['mptcp rules x', 'mptcp rules takes no parameter, reload, or json'],
  ['mptcp explain', 'mptcp explain takes a CLIENT, or a CLIENT and json'],
  ['mptcp explain carol', 'no client "carol" is connected: status shows which are'],
  ['mptcp watch now', 'mptcp watch takes no parameter, json, or off'],
  ['mptcp explain alise', 'no client "alise" is connected (did you mean `alice`?): status shows which are'],
  [
    'mptcp primary lab/alise lte',
    'no client "lab/alise" is connected (did you mean `lab/alice`?): status shows which are',
  ],
  ['mptcp primary alice ltw', 'there is no path "ltw" (did you mean `lte`?); the paths are wifi, lte'],
  [
    'mptcp claim',
    'mptcp claim takes auth (client-auth, client-deny, ...) or questions (password, needok, ...)',
  ],
  ['mptcp claim auth', 'there is no single OpenVPN behind this console: use the console of a server'],
  ['mptcp primary', 'mptcp primary takes a CLIENT and a PATH, or a CLIENT and auto'],
  ['mptcp primary alice', 'mptcp primary takes a CLIENT and a PATH, or a CLIENT and auto'],
  ['mptcp primary alice lte now', 'mptcp primary takes a CLIENT and a PATH, or a CLIENT and auto'],
  ['mptcp primary carol lte', 'no client "carol" is connected: status shows which are'],
  ['mptcp primary other/alice lte', 'no client "other/alice" is connected: status shows which are'],
  ['mptcp primary alice moon', 'there is no path "moon"; the paths are wifi, lte'],
  ['mptcp primary "alice lte', 'a quote is not closed'],
  ['mptcp primary alice\\', 'the line ends in a backslash'],
  ['mptcp \u001b[2J\u009b', 'unknown command "mptcp \\u001b[2J\\x9b", try mptcp help'],
])('%j is refused: %s', async (command, why) => {
  expect(await lines(command)).toEqual([`ERROR: ${why}`]);
  expect(daemon.status().overrides).toEqual({});
});

describe('mptcp status', () => {
  it('shows every session, and ends with END', async () => {
    const text = await lines('mptcp status');
    expect(text).toContain('session alice: from 192.168.100.2:38456, 10.8.0.2, server lab');
    expect(text).toContain('2 sessions');
    expect(text.at(-1)).toBe('END');
  });

  it('json prints the same as one line', async () => {
    const [json, ...rest] = await lines('mptcp status json');
    expect(rest).toEqual(['END']);
    expect(JSON.parse(json ?? '')).toEqual(daemon.status());
  });

  it.each([...NAMES, 'line\nEND', 'carriage\rreturn', '\u001b[31mred\u009b0m', '\u007f'])(
    'a client named %j neither ends nor colours an answer',
    async (name) => {
      daemon.clients = [client(name)];
      daemon.problems = [`${name}: is odd`];
      daemon.servers = [{ name: 'lab', management: 'absent', recorded: 1, pids: [1], version: name }];
      const text = await lines('mptcp status');
      expect(text.indexOf('END')).toBe(text.length - 1);
      for (const line of text)
        expect(line).toMatch(/^(subflowd |server |problem: |session | {4}|1 session$|END$|$)/);
      expect(text.join('')).not.toMatch(/\p{Cc}/u);
      const json = await lines('mptcp status json');
      expect(json.join('')).not.toMatch(/\p{Cc}/u);
      expect((JSON.parse(json[0] ?? '') as DaemonStatus).sessions[0]?.session.commonName).toBe(name);
    },
  );
});

describe('mptcp primary', () => {
  it('sets the path of a client until auto, and reports the result', async () => {
    expect(await lines('mptcp primary alice lte')).toEqual([
      'SUCCESS: lab/alice: pending, lte is to be primary by override',
    ]);
    expect(daemon.status().overrides).toEqual({ 'lab/alice': 'lte' });
    expect(await lines('mptcp primary alice auto')).toEqual([
      'SUCCESS: lab/alice: pending, wifi is to be primary by [default]',
    ]);
    expect(daemon.status().overrides).toEqual({});
  });

  it('says that the order will be tried if no round has ended yet, and not what was before', async () => {
    daemon.round = Promise.resolve(false);
    expect(await lines('mptcp primary alice lte')).toEqual([
      'SUCCESS: lab/alice: lte is asked for, and will be tried; status alice shows what comes of it',
    ]);
    expect(daemon.status().overrides).toEqual({ 'lab/alice': 'lte' });
  });

  it('accepts auto without an override', async () => {
    expect((await lines('mptcp primary alice auto'))[0]).toMatch(/^SUCCESS: /);
  });

  it.each(NAMES)('finds a client named %j', async (name) => {
    daemon.clients = [client(name), client('alice')];
    const [answer] = await lines(`mptcp primary ${quoteWord(name)} lte`);
    expect(answer).toBe(`SUCCESS: lab/${name}: pending, lte is to be primary by override`);
    expect(daemon.status().overrides).toEqual({ [`lab/${name}`]: 'lte' });
  });

  it('escapes the control characters of a name', async () => {
    daemon.clients = [client('\u001b[2J\u009b')];
    const [answer] = await lines('mptcp primary "\u001b[2J\u009b" lte');
    expect(answer).toMatch(/^SUCCESS: lab\/\\x1b\[2J\\x9b: pending/);
  });

  it('asks which one if two servers have a client of that name', async () => {
    daemon.clients = [client('alice', { server: 'home' }), client('alice', { server: 'office' })];
    expect(await lines('mptcp primary alice lte')).toEqual([
      'ERROR: "alice" means several clients: use "home/alice" or "office/alice"',
    ]);
    expect((await lines('mptcp primary office/alice lte'))[0]).toMatch(/^SUCCESS: office\/alice: /);
    expect(daemon.status().overrides).toEqual({ 'office/alice': 'lte' });
  });

  it('reports every connection of a client that has several', async () => {
    daemon.clients = [client('alice'), client('alice', { remotes: [{ address: '192.168.100.9', port: 9 }] })];
    expect(await lines('mptcp primary alice lte')).toEqual([
      'SUCCESS: lab/alice: pending, lte is to be primary by override; ' +
        'absent, override wants lte, where the client has no subflow: keeps what it has',
    ]);
  });

  it.each([
    [{ connection: 'plain' }, 'plain TCP, not MPTCP: cannot be steered'],
    [{ connection: undefined, unsteerable: 'udp' }, 'over UDP, and MPTCP is TCP: cannot be steered'],
  ] as const)('is refused for a client that cannot be steered: %j', async (unsteered, reason) => {
    daemon.clients = [{ session: client('alice').session, ...unsteered }];
    expect(await lines('mptcp primary alice lte')).toEqual([`ERROR: lab/alice: ${reason}; nothing was set`]);
    expect(daemon.status().overrides).toEqual({});
    expect((await lines('mptcp primary alice auto'))[0]).toMatch(/^SUCCESS: /);
  });

  it('changes and ends the override of a client that has left', async () => {
    await lines('mptcp primary alice lte');
    daemon.clients = [];
    expect(await lines('mptcp primary alice wifi')).toEqual(['SUCCESS: lab/alice: not connected now']);
    expect(await lines('mptcp primary lab/alice auto')).toEqual(['SUCCESS: lab/alice: not connected now']);
    expect(await lines('mptcp primary alice auto')).toEqual([
      'ERROR: no client "alice" is connected: status shows which are',
    ]);
  });

  it('reports that an override cannot be kept, and keeps the old one', async () => {
    await lines('mptcp primary alice lte');
    rmSync(directory, { recursive: true });
    const lost = join(directory, 'gone');
    daemon = new Steered(join(lost, 'overrides.json'), [client('alice')]);
    expect((await lines('mptcp primary alice lte'))[0]).toMatch(
      new RegExp(`^ERROR: the override cannot be kept: .*${lost}`),
    );
    expect(daemon.status().overrides).toEqual({});
    directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  });
});

it('mptcp status CLIENT shows only that client', async () => {
  const text = await lines('mptcp status bob');
  expect(text.filter((line) => line.startsWith('session '))).toEqual([
    'session bob: from 192.168.100.2:38456, 10.8.0.2, server lab',
  ]);
  expect(text.at(-1)).toBe('END');
});

it.each(['mptcp status json', 'mptcp status carol', 'mptcp paths', 'mptcp explain carol'])(
  '%s observes first',
  async (command) => {
    daemon.onObserve = () => {
      daemon.clients = [client('carol')];
    };
    const text = (await lines(command)).join('\n');
    expect(text).toContain(command === 'mptcp paths' ? '1 of 1 subflow active' : 'carol');
    expect(text).not.toMatch(/^ERROR/);
  },
);

it('mptcp paths shows the sessions, subflows and load of each path', async () => {
  daemon.clients = [client('alice', { remotes: [WIFI] }), client('bob')];
  expect(await lines('mptcp paths')).toEqual([
    'path wifi: 192.168.100.0/24: primary of 1 session, 2 of 2 subflows active',
    'path lte: 192.168.200.0/24: primary of 0 sessions, 1 of 1 subflow active',
    'END',
  ]);
  const none = { down: 0, up: 0 };
  const capacity = { down: 20e6, up: 5e6 };
  const carried = { down: 16.84e6, up: 0.5e6 };
  const health = 'carries';
  daemon.loads = [
    {
      name: 'wifi',
      carried,
      capacity,
      isLearnt: false,
      foreign: { down: 2e6, up: 0 },
      isCongested: true,
      health,
    },
    { name: 'lte', carried, isLearnt: false, foreign: none, isCongested: false, health },
  ];
  expect((await lines('mptcp paths')).map((line) => line.split('; ')[1])).toEqual([
    'carries 16.8/0.5, others and headers 2/0 of 20/5 Mbit/s, 94 % full, congested',
    'carries 16.8/0.5 Mbit/s, capacity not known yet',
    undefined,
  ]);
});

it('mptcp paths, rules and explain print JSON', async () => {
  const parsed = async (command: string): Promise<unknown> => {
    const [json = '', ...rest] = await lines(command);
    expect(rest).toEqual(['END']);
    return JSON.parse(json);
  };
  await lines('mptcp primary alice lte');
  expect(await parsed('mptcp paths json')).toMatchObject([
    { name: 'wifi', prefixes: ['192.168.100.0/24'], primarySessions: 0, subflows: 2, activeSubflows: 2 },
    { name: 'lte' },
  ]);
  expect(await parsed('mptcp rules json')).toMatchObject({
    rules: [{ section: '[default]', primary: ['wifi'], sessions: 1 }],
    overrides: { 'lab/alice': 'lte' },
  });
  expect(await parsed('mptcp explain alice json')).toMatchObject([
    { plan: { session: { commonName: 'alice' }, state: 'pending' }, rules: [{ section: 'override' }, {}] },
  ]);
});

describe('mptcp rules', () => {
  it('shows how many sessions each rule has, and the overrides', async () => {
    daemon.rules = {
      ...daemon.rules,
      clients: [
        { glob: 'b*', ...standby(['lte', 'wifi']) },
        { glob: 'x', ...standby([]) },
        {
          glob: 'y',
          ...standby(['lte']),
          quota: { lte: { bytes: 5e9, period: 'month', units: 'decimal' } },
          quotaDay: 15,
          rejoinAfter: 300_000,
        },
      ],
    };
    await lines('mptcp primary alice lte');
    expect(await lines('mptcp rules')).toEqual([
      'rule [client b*]: primary = lte, wifi: 1 session',
      'rule [client x]: no path, left alone: 0 sessions',
      'rule [client y]: primary = lte, quota = lte 5 GB/month, quota-day = 15, rejoin-after = 300s: 0 sessions',
      'rule [default]: primary = wifi: 0 sessions',
      'override lab/alice: lte, until primary CLIENT auto ends it',
      'END',
    ]);
  });

  it('reload reports a mistake in the file', async () => {
    expect(await lines('mptcp rules reload')).toEqual(['SUCCESS: the rules of the file are in force']);
    daemon.mistake = new ConfigError('/etc/ini', [{ line: 3, message: 'is odd' }]);
    const [answer, ...rest] = await lines('mptcp rules reload');
    expect(answer).toMatch(/^ERROR: the old rules stay in force: \/etc\/ini:3: is odd/);
    expect(rest).toEqual([]);
  });
});

it('mptcp explain shows the rule, the plan, what was written and what the kernel has', async () => {
  daemon.rules = { ...daemon.rules, clients: [{ glob: 'a*', ...standby(['lte']) }] };
  await lines('mptcp primary alice wifi');
  const name = { pid: PID, connection: WIFI, local: SERVER, remote: LTE };
  const result = { outcome: 'committed', isMpPrioRequested: true } as const;
  daemon.writes = { at: 0, changes: [{ change: { name, priority: 'backup' }, result }] };
  expect(await lines('mptcp explain alice')).toEqual([
    'session alice: from 192.168.100.2:38456, 10.8.0.2, server lab',
    "rule: an admin's override (mptcp primary CLIENT auto removes it) wants wifi",
    'rule that matches but does not apply: [client a*] wants lte',
    'rule that matches but does not apply: [default] wants wifi',
    'plan: pending, wifi is to be primary by override',
    'plan: 192.168.100.2:38456 on wifi: active, as it is',
    'plan: 192.168.200.2:43622 on lte: to become backup',
    'written: 1970-01-01T00:00:00.000Z 192.168.200.2:43622 backup: committed, the client is asked to do the same',
    'kernel: 192.168.100.2:38456 is active by us and active by the client: used',
    'kernel: 192.168.200.2:43622 is active by us and active by the client: used',
    'moves: only if its rule changes, or its subflows end',
    'END',
  ]);
});

it('mptcp watch reports switches, and subflows that are added, changed and removed', async () => {
  const sent: string[] = [];
  const observe = () => {
    daemon.counters.addRound({ sessions: daemon.status().sessions, paths: [] });
  };
  daemon.clients = [client('alice')];
  observe();
  const setWatching = (form: 'text' | 'json' | 'off') => {
    if (form !== 'off') stop = sendEvents(daemon, (message) => sent.push(...message));
    else stop();
  };
  let stop = (): void => undefined;
  const watch = (line: string) => runCommand(daemon, line, { setWatching });
  expect((await watch('mptcp watch')).lines).toEqual(['SUCCESS: real-time mptcp notification set to ON']);
  daemon.events.publish(switchOf({ commonName: 'a,\u001b', committedAt: 1_999 }));
  daemon.clients = [client('alice', { wish: 'backup', remotes: [WIFI, { ...LTE, port: 5 }] })];
  observe();
  expect((await watch('mptcp watch off')).lines).toEqual([
    'SUCCESS: real-time mptcp notification set to OFF',
  ]);
  daemon.clients = [];
  observe();
  expect(sent.map((line) => line.replace(/\d{10}/, 'NOW'))).toEqual([
    '>MPTCP:1,SWITCH,wifi,lte,lab/a,\\x1b',
    '>MPTCP:NOW,SUBFLOW,CHANGED,wifi,192.168.100.2:38456,backup,active,lab/alice',
    '>MPTCP:NOW,SUBFLOW,ADDED,lte,192.168.200.2:5,backup,active,lab/alice',
    '>MPTCP:NOW,SUBFLOW,REMOVED,lte,192.168.200.2:43622,active,active,lab/alice',
  ]);
});
