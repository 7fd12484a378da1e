import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../../src/console/commands.js';
import type { DaemonStatus } from '../../../src/console/status.js';
import { quoteWord } from '../../../src/console/words.js';
import { client, Steered } from './steered.js';

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
    for (const known of ['mptcp status', 'mptcp status json', 'mptcp primary CLIENT PATH', 'auto', 'exit'])
      expect(text).toContain(known);
    expect(text.endsWith('\nEND')).toBe(true);
  });
});

it.each(['', '   ', '\t'])('an empty line (%j) is answered by nothing', async (command) => {
  expect(await runCommand(daemon, command)).toEqual({ lines: [] });
});

it.each(['exit', 'quit'])('%s hangs up', async (command) => {
  expect(await runCommand(daemon, command)).toEqual({ lines: [], hangUp: true });
});

it.each([
  ['stauts', 'unknown command "stauts", try help'],
  ['END', 'unknown command "END", try help'],
  ['mptcp stauts', 'unknown command "mptcp stauts", try help'],
  ['mptcp status xml', 'mptcp status takes nothing, or json'],
  ['mptcp status json more', 'mptcp status takes nothing, or json'],
  ['mptcp primary', 'mptcp primary takes a CLIENT and a PATH, or auto'],
  ['mptcp primary alice', 'mptcp primary takes a CLIENT and a PATH, or auto'],
  ['mptcp primary alice lte now', 'mptcp primary takes a CLIENT and a PATH, or auto'],
  ['mptcp primary carol lte', 'no client "carol" is connected: status shows who is'],
  ['mptcp primary other/alice lte', 'no client "other/alice" is connected: status shows who is'],
  ['mptcp primary alice moon', 'there is no path "moon"; the paths are wifi, lte'],
  ['mptcp primary "alice lte', 'a quote is not closed'],
  ['mptcp primary alice\\', 'the line ends in a backslash'],
  ['mptcp \u001b[2J\u009b', 'unknown command "mptcp \\u001b[2J\\x9b", try help'],
])('%j is refused: %s', async (command, why) => {
  expect(await lines(command)).toEqual([`ERROR: ${why}`]);
  expect(daemon.status().overrides).toEqual({});
});

describe('mptcp status', () => {
  it('shows every session, and ends', async () => {
    const text = await lines('mptcp status');
    expect(text).toContain('session alice: from 192.168.100.2:38456, 10.8.0.2, server lab');
    expect(text).toContain('2 sessions');
    expect(text.at(-1)).toBe('END');
  });

  it('json is one line that holds the same', async () => {
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
  it('puts a client on a path until auto, and says what came of it', async () => {
    expect(await lines('mptcp primary alice lte')).toEqual([
      'SUCCESS: lab/alice: pending, lte is to be primary by override',
    ]);
    expect(daemon.status().overrides).toEqual({ 'lab/alice': 'lte' });
    expect(await lines('mptcp primary alice auto')).toEqual([
      'SUCCESS: lab/alice: pending, wifi is to be primary by [default]',
    ]);
    expect(daemon.status().overrides).toEqual({});
  });

  it('takes back what is not there without complaint', async () => {
    expect((await lines('mptcp primary alice auto'))[0]).toMatch(/^SUCCESS: /);
  });

  it.each(NAMES)('finds a client named %j', async (name) => {
    daemon.clients = [client(name), client('alice')];
    const [answer] = await lines(`mptcp primary ${quoteWord(name)} lte`);
    expect(answer).toBe(`SUCCESS: lab/${name}: pending, lte is to be primary by override`);
    expect(daemon.status().overrides).toEqual({ [`lab/${name}`]: 'lte' });
  });

  it('shows control characters of a name and obeys none', async () => {
    daemon.clients = [client('\u001b[2J\u009b')];
    const [answer] = await lines('mptcp primary "\u001b[2J\u009b" lte');
    expect(answer).toMatch(/^SUCCESS: lab\/\\x1b\[2J\\x9b: pending/);
  });

  it('asks which one where two servers know a common name', async () => {
    daemon.clients = [client('alice', { server: 'home' }), client('alice', { server: 'office' })];
    expect(await lines('mptcp primary alice lte')).toEqual([
      'ERROR: "alice" is several clients: say "home/alice" or "office/alice"',
    ]);
    expect((await lines('mptcp primary office/alice lte'))[0]).toMatch(/^SUCCESS: office\/alice: /);
    expect(daemon.status().overrides).toEqual({ 'office/alice': 'lte' });
  });

  it('tells of every connection of a client that has several', async () => {
    daemon.clients = [client('alice'), client('alice', { remotes: [{ address: '192.168.100.9', port: 9 }] })];
    expect(await lines('mptcp primary alice lte')).toEqual([
      'SUCCESS: lab/alice: pending, lte is to be primary by override; ' +
        'absent, override wants lte, where the client has no subflow: keeps what it has',
    ]);
  });

  it('changes and takes back the override of a client that left', async () => {
    await lines('mptcp primary alice lte');
    daemon.clients = [];
    expect(await lines('mptcp primary alice wifi')).toEqual(['SUCCESS: lab/alice: not connected now']);
    expect(await lines('mptcp primary lab/alice auto')).toEqual(['SUCCESS: lab/alice: not connected now']);
    expect(await lines('mptcp primary alice auto')).toEqual([
      'ERROR: no client "alice" is connected: status shows who is',
    ]);
  });

  it('says so when the override cannot be kept, and keeps the old one', async () => {
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
