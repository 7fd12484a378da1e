import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../src/console/listen/console.js';
import type { Check } from '../../src/model/check.js';
import { pathLoads } from '../../src/steering/measure/path-load.js';
import { checkout } from '../lab/checkout.js';
import { needs } from '../lab/needs.js';
import { cli, cliAsNobody, MAIN, writeIni } from '../support/command-line.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { client, Steered, switchOf } from '../unit/console/steered.js';

const COMPLETION = join(checkout, 'completions/subflowd.bash');

let directory: string;
let config: string;

beforeEach(() => {
  directory = temporaryDirectory();
  config = writeIni(directory);
});

describe('with a running daemon', () => {
  let daemon: Steered;
  let console: Console;

  beforeEach(async () => {
    daemon = new Steered(join(directory, 'overrides.json'), [
      client('alice'),
      client('Bob "The" \u001bBuilder'),
    ]);
    const socket = join(directory, 'console.sock');
    console = await Console.open({ socket, mode: 0o600 }, { daemon });
  });
  afterEach(() => console.close());

  it('status shows sessions', async () => {
    const { code, out } = await cli(['status', '-c', config]);
    expect(code).toBe(0);
    expect(out).toContain('session alice: from 192.168.100.2:38456');
    expect(out).toContain('session Bob "The" \\x1bBuilder: ');
    expect(out.endsWith('2 sessions\n')).toBe(true);
  });

  it('status --json prints the status of the daemon', async () => {
    const { code, out } = await cli(['status', '--json', '-c', config]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(daemon.status());
  });

  it.each([
    [['status', 'alice'], /^\nsession alice: from [^]*OUR PRIORITY/],
    [['paths'], /^path wifi: 192\.168\.100\.0\/24: primary of [^]*\npath lte: /],
    [['rules'], /^rule \[default\]: primary = wifi: 2 sessions\n$/],
    [['rules', 'reload'], /^the rules of the file are in force\n$/],
    [['explain', 'alice'], /^session alice: [^]*\nrule: [^]*\nplan: [^]*\nwritten: [^]*\nkernel: /],
  ])('%j answers', async (args, expected) => {
    const { code, out, err } = await cli([...args, '-c', config]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(expected);
  });

  it('commands answer although the config file has a mistake, and name the mistake', async () => {
    writeIni(directory, { lines: ['nonsense', '[client alice', 'primary = wlan'] });
    daemon.fileMistake = {
      mistakes: [`${config}:12: nonsense`, `${config}:13: not understood`],
      inForceSince: Date.UTC(2026, 0, 2, 3, 4, 5),
    };
    const note =
      `subflowd: the config file has a mistake: ${config}:12: nonsense (and 1 more; run subflowd check); ` +
      'the rules of 2026-01-02 03:04:05 UTC are in force\n';
    const { code, out, err } = await cli(['status', '-c', config]);
    expect([code, err]).toEqual([0, note]);
    expect(out.endsWith('2 sessions\n')).toBe(true);
    const json = await cli(['status', '--json', '-c', config]);
    expect(JSON.parse(json.out)).toHaveProperty('sessions.length', 2);
    expect((await cli(['primary', 'alice', 'lte', '-c', config])).err).toBe(note);
  });

  it('watch prints events until the daemon closes the connection', async () => {
    const watching = execa(process.execPath, [MAIN, 'watch', '-c', config], {
      reject: false,
      timeout: 60_000,
      stripFinalNewline: false,
    });
    let printed = '';
    watching.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    // An event is sent only to a watch that is connected already: publish until one arrives.
    await until('an event is printed', () => {
      daemon.events.publish(switchOf());
      return printed.includes('\n');
    });
    await console.close();
    const { exitCode, stdout, stderr } = await watching;
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^1,SWITCH,wifi,lte,lab\/alice\n/);
    expect(stderr).toContain('it closed the connection');
  });

  it.each([
    [['st'], 'status'],
    [['status', '--j'], '--json'],
    [['explain', '-c', 'CONFIG', 'al'], 'alice'],
    [['explain', '-c', 'CONFIG', '--', 'al'], 'alice'],
    [['explain', '-c', 'CONFIG', 'Car'], 'Carol\\ B'],
    [['explain', '-c', 'CONFIG', '"Car'], 'Carol B'],
    [['primary', '-c', 'CONFIG', 'alice', 'l'], 'lte'],
    [['primary', '-c', 'CONFIG', 'alice', 'au'], 'auto'],
    [['console', '-c', 'CONFIG', ''], 'lab'],
    [['run', '--log-format', 'j'], 'json'],
    [['rules', ''], 'reload'],
    [['help', 'pat'], 'paths'],
    [['check', '-c', ''], ''],
    [['nonsense', ''], ''],
  ])('bash completes %j to %j', async (words, completed) => {
    daemon.clients = [client('alice'), client('Carol B')];
    daemon.loads = pathLoads(new Map(), daemon.rules.paths);
    const script = `
      source "$1"; shift
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      _subflowd
      printf '%s' "\${COMPREPLY[*]}"`;
    const given = words.map((word) => (word === 'CONFIG' ? config : word));
    const { stdout } = await execa('bash', ['-c', script, 'bash', COMPLETION, MAIN, ...given]);
    expect(stdout).toBe(completed);
  });

  it('watch shows sentences with local times on a terminal', async () => {
    let screen = '';
    const command = `${process.execPath} ${MAIN} watch -c ${config}`;
    const watching = execa('script', ['-qec', command, '/dev/null'], {
      reject: false,
      env: { TZ: 'Asia/Tokyo' },
    });
    watching.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()));
    await until('an event is shown', () => {
      daemon.events.publish(switchOf());
      return screen.includes('\n');
    });
    await console.close();
    await watching;
    expect(screen).toMatch(/^1970-01-01 09:00:01 lab\/alice: from wifi to lte\r\n/);
  });

  it.each([['paths'], ['rules'], ['explain', 'alice']])('%s --json prints JSON', async (...args) => {
    const { code, out } = await cli([...args, '--json', '-c', config]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toBeTypeOf('object');
  });

  it('console sends the commands from its standard input and prints the answers', async () => {
    const { exitCode, stdout, stderr } = await execa(process.execPath, [MAIN, 'console', '-c', config], {
      input: 'mptcp paths\nnonsense\nmptcp rules reload\n',
      reject: false,
    });
    // an answer is an error
    expect([exitCode, stderr]).toEqual([1, '']);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^path wifi/),
      expect.stringMatching(/^path lte/),
      'END',
      expect.stringMatching(/^ERROR: unknown command "nonsense"/),
      'SUCCESS: the rules of the file are in force',
    ]);
  });

  it('console at a terminal completes words, colours answers, and saves a history without passwords', async () => {
    daemon.loads = pathLoads(new Map(), daemon.rules.paths);
    let screen = '';
    const typed = execa('script', ['-qec', `${process.execPath} ${MAIN} console -c ${config}`, '/dev/null'], {
      env: {
        XDG_STATE_HOME: directory,
        CI: undefined,
        NO_COLOR: undefined,
        FORCE_COLOR: undefined,
        TERM: 'xterm',
      },
      stdin: 'pipe',
      timeout: 240_000,
    });
    typed.stdout.setEncoding('utf8').on('data', (chunk: string) => (screen += chunk));
    const shows = (pattern: RegExp) =>
      until(`${String(pattern)} on the screen`, () => pattern.test(stripVTControlCharacters(screen)));
    await shows(/> $/);
    typed.stdin.write('mptcp pri\t');
    await shows(/mptcp primary $/);
    typed.stdin.write('al\t');
    await shows(/mptcp primary alice $/);
    typed.stdin.write('lt\t');
    await shows(/mptcp primary alice lte $/);
    typed.stdin.write('\n');
    await shows(/SUCCESS: lab\/alice/);
    typed.stdin.write('password "Private Key" sesame\n');
    await shows(/ERROR: unknown command "password/);
    expect(screen).toContain('\u001b[32mSUCCESS: lab/alice');
    expect(screen).toContain('\u001b[31mERROR: unknown command');
    typed.stdin.write('exit\n');
    await typed;
    const history = readFileSync(join(directory, 'subflowd/console-history'), 'utf8');
    expect(history).toContain('mptcp primary alice lte');
    expect(history).not.toContain('sesame');
  });

  it('console names the servers that have a console if the given one has none', async () => {
    const { code, err } = await cli(['console', 'elsewhere', '-c', config]);
    expect(code).toBe(1);
    expect(err).toMatch(/^subflowd: no server "elsewhere" has a console; known: /);
  });

  it('primary sets and removes an override of a client whose name has quotes and control characters', async () => {
    const name = 'Bob "The" \u001bBuilder';
    const set = await cli(['primary', name, 'lte', '-c', config]);
    expect(set).toEqual({
      code: 0,
      out: 'lab/Bob "The" \\x1bBuilder: pending, lte is to be primary by override\n',
      err: '',
    });
    expect(daemon.status().overrides).toEqual({ [`lab/${name}`]: 'lte' });
    expect((await cli(['primary', name, 'auto', '-c', config])).code).toBe(0);
    expect(daemon.status().overrides).toEqual({});
  });

  it.each([
    ['carol', 'lte', 'no client "carol" is connected'],
    ['alice', 'moon', 'there is no path "moon"; the paths are wifi, lte'],
    ['x'.repeat(5000), 'lte', 'a line is longer than 4096 bytes'],
  ])('primary reports why it cannot set an override', async (name, path, reason) => {
    const { code, out, err } = await cli(['primary', name, path, '-c', config]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`subflowd: ${reason}`);
  });

  it('status ends without an error when the reader of its pipe ends first', async () => {
    daemon.clients = Array.from({ length: 1000 }, (_, n) => client(`client ${n}`));
    const script = '"$0" "$1" status -c "$2" | head -n 1; exit "${PIPESTATUS[0]}"';
    const run = await execa('bash', ['-c', script, process.execPath, MAIN, config], { reject: false });
    expect(run.stdout).toMatch(/^subflowd [^\n]*$/);
    expect([run.exitCode, run.stderr]).toEqual([0, '']);
  });

  it('a second daemon is refused before it changes anything', async () => {
    await expect(
      Console.open({ socket: join(directory, 'console.sock'), mode: 0o600 }, { daemon }),
    ).rejects.toThrow('another subflowd serves');
  });

  describe('as another user', () => {
    needs('root');

    it('status reports who may use the socket', async () => {
      const { code, err } = await cliAsNobody(['status', '-c', config]);
      expect(code).toBe(1);
      expect(err).toContain(
        'you may not use that socket; be root, or a member of the group that [console] group names',
      );
    });
  });

  it('doctor reports the problems and clients of the daemon', async () => {
    daemon.clients = [client('alice', { remotes: [{ address: '192.168.100.2', port: 1 }] })];
    daemon.problems = ['process 7: fd table: it claims too much'];
    const { out } = await cli(['doctor', '--json', '-c', config]);
    const checks = JSON.parse(out) as Check[];
    expect(checks).toContainEqual({ name: 'daemon', verdict: 'ok', found: 'subflowd runs' });
    expect(checks).toContainEqual({ name: 'daemon', verdict: 'note', found: daemon.problems[0] });
    expect(checks.find(({ name }) => name === 'client alice')?.found).toBe('it has only one subflow');
  });
});
