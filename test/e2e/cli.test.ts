import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../src/console/listen/console.js';
import type { Check } from '../../src/model/check.js';
import { needs } from '../lab/needs.js';
import { until } from '../support/until.js';
import { client, Steered, switchOf } from '../unit/console/steered.js';

const MAIN = resolve(import.meta.dirname, '../../dist/src/main.js');
const NOBODY = 65534;

let directory: string;
let config: string;

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not built: npm run build`);
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  config = ini([]);
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Writes a config without a mistake, and these lines behind it. */
function ini(lines: readonly string[]): string {
  const file = join(directory, 'subflowd.ini');
  const text = [
    '[openvpn lab]',
    `events = ${directory}/events`,
    '[path wifi]',
    'prefix = 192.168.100.0/24',
    '[path lte]',
    'prefix = 192.168.200.0/24',
    '[default]',
    'primary = wifi',
    '[console]',
    `socket = ${directory}/console.sock`,
    `overrides = ${directory}/overrides.json`,
    ...lines,
    '',
  ];
  writeFileSync(file, text.join('\n'));
  return file;
}

async function cli(args: readonly string[]) {
  return run([process.execPath, MAIN, ...args]);
}

/** Runs the command line as a user who may read every file, wherever the checkout is, and write to none of root's. */
async function asNobody(args: readonly string[]) {
  const capability = '+dac_read_search';
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const setpriv = ['setpriv', ...user, `--inh-caps=${capability}`, `--ambient-caps=${capability}`];
  return run([...setpriv, process.execPath, MAIN, ...args]);
}

/** Runs the command line where `change`, lines of shell, was done to mounts and network of its own. */
async function elsewhere(change: string, args: readonly string[]) {
  const script = `set -e; ${change}; exec "$@"`;
  const unshare = ['unshare', '--mount', '--net', 'sh', '-c', script, 'sh'];
  return run([...unshare, process.execPath, MAIN, ...args, '-c', config]);
}

async function run([file = '', ...args]: readonly string[]) {
  const result = await execa(file, args, { reject: false, timeout: 60_000, stripFinalNewline: false });
  return { code: result.exitCode, out: result.stdout, err: result.stderr };
}

describe('subflowd', () => {
  it.each([
    ['check', ['FILE:LINE', '--json', '/etc/subflowd/subflowd.ini']],
    ['doctor', ['to fix it:', '--json', 'Exit 1']],
    ['run', ['--log-level', '--log-format', 'standard error']],
    ['status', ["CLIENT'S PRIORITY", '--json']],
    ['primary', ['<client>', '<path>', 'auto', 'For example']],
  ])('%s --help teaches', async (command, words) => {
    const { code, out, err } = await cli([command, '--help']);
    expect([code, err]).toEqual([0, '']);
    for (const word of words) expect(out).toContain(word);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it.each([[['--help']], [['help']]])('%j names every command and the exit codes', async (args) => {
    const { code, out } = await cli(args);
    expect(code).toBe(0);
    for (const word of ['run', 'check', 'doctor', 'status', 'primary', 'Exit codes'])
      expect(out).toContain(word);
  });

  it.each([
    [[], 'Usage: subflowd'],
    [['stauts'], "unknown command 'stauts'"],
    [['status', 'alice', 'bob'], 'too many arguments'],
    [['status', 'alice', '--json'], '--json prints everything'],
    [['rules', 'relaod'], 'Write reload, or nothing.'],
    [['explain'], "missing required argument 'client'"],
    [['status', '--jsno'], "unknown option '--jsno'"],
    [['primary'], "missing required argument 'client'"],
    [['primary', 'alice'], "missing required argument 'path'"],
    [['primary', 'alice\nhelp', 'lte'], 'It contains a line break.'],
    [['primary', 'alice', 'lte', 'now'], 'too many arguments'],
    [['run', '--log-level', 'loud'], 'Allowed choices are debug, info, warn, error'],
    [['check', '--config'], 'argument missing'],
  ])('%j is wrong use', async (args, why) => {
    const { code, out, err } = await cli(args);
    expect(code).toBe(2);
    expect(err).toContain(why);
    expect(out).toBe('');
  });

  it('says its version', async () => {
    expect((await cli(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('subflowd check', () => {
  it('has nothing to say against a config without a mistake', async () => {
    expect(await cli(['check', '-c', config])).toEqual({ code: 0, out: `${config}: no mistake\n`, err: '' });
  });

  it('--json gives the config as it is understood', async () => {
    const { code, out } = await cli(['check', '--json', '-c', config]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      file: config,
      problems: [],
      config: { default: { primary: ['wifi'] }, console: { mode: 0o660 } },
    });
  });

  it('tells every mistake with its line, control characters shown', async () => {
    ini(['[client \u001b[2Jalice]', 'primry = lte', '[client bob]', 'primary = moon']);
    const { code, out, err } = await cli(['check', '-c', config]);
    expect([code, err]).toEqual([1, '']);
    expect(out).toMatch(new RegExp(`^${config}:13: .*\`primry\``, 'm'));
    expect(out).toMatch(new RegExp(`^${config}:15: \\[client bob\\]: .*\\[path moon\\]`, 'm'));
    expect(out).not.toContain('\u001b');
  });

  it('--json tells the same', async () => {
    ini(['[client bob]', 'primary = moon']);
    const { code, out } = await cli(['check', '--json', '-c', config]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      file: config,
      problems: [{ line: 13, section: '[client bob]', key: 'primary' }],
    });
  });

  it('says that a file does not exist', async () => {
    const file = join(directory, 'none.ini');
    expect(await cli(['check', '-c', file])).toEqual({ code: 1, out: `${file}: does not exist\n`, err: '' });
  });
});

describe('without a daemon', () => {
  it.each([[['status']], [['status', '--json']], [['primary', 'alice', 'lte']]])(
    '%j says so',
    async (args) => {
      const { code, out, err } = await cli([...args, '-c', config]);
      expect([code, out]).toEqual([1, '']);
      expect(err).toBe(
        `subflowd: no answer from the daemon at its console ${directory}/console.sock: ` +
          'it is not running; start it (systemctl start subflowd, or subflowd run)\n',
      );
    },
  );

  it('a config with a mistake is what is told', async () => {
    ini(['nonsense']);
    const { code, err } = await cli(['status', '-c', config]);
    expect(code).toBe(1);
    expect(err).toContain(`${config}:12: `);
  });
});

describe('with a console', () => {
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

  it('status --json is what the daemon knows', async () => {
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

  it('watch tells until there is nobody who could', async () => {
    const watching = cli(['watch', '-c', config]);
    const told = setInterval(() => {
      daemon.events.publish(switchOf());
    }, 200);
    await sleep(4_000);
    clearInterval(told);
    await console.close();
    const { code, out, err } = await watching;
    expect(code).toBe(1);
    expect(out).toMatch(/^1,SWITCH,wifi,lte,lab\/alice\n/);
    expect(err).toContain('it closed the connection');
  });

  it('console says what is piped into it, and prints the answers', async () => {
    const { exitCode, stdout, stderr } = await execa(process.execPath, [MAIN, 'console', '-c', config], {
      input: 'mptcp paths\nnonsense\nmptcp rules reload\n',
    });
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^path wifi/),
      expect.stringMatching(/^path lte/),
      'END',
      expect.stringMatching(/^ERROR: unknown command "nonsense"/),
      'SUCCESS: the rules of the file are in force',
    ]);
  });

  it('console at a terminal completes, colours, and remembers what was typed', async () => {
    let seen = '';
    const typed = execa('script', ['-qec', `${process.execPath} ${MAIN} console -c ${config}`, '/dev/null'], {
      env: {
        XDG_STATE_HOME: directory,
        CI: undefined,
        NO_COLOR: undefined,
        FORCE_COLOR: undefined,
        TERM: 'xterm',
      },
      stdin: 'pipe',
      timeout: 60_000,
    });
    typed.stdout.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
    const shows = (pattern: RegExp) =>
      until(`${String(pattern)} on the screen`, () => pattern.test(stripVTControlCharacters(seen)));
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
    expect(seen).toContain('\u001b[32mSUCCESS: lab/alice');
    expect(seen).toContain('\u001b[31mERROR: unknown command');
    typed.stdin.write('exit\n');
    await typed;
    const history = readFileSync(join(directory, 'subflowd/console-history'), 'utf8');
    expect(history).toContain('mptcp primary alice lte');
    expect(history).not.toContain('sesame');
  });

  it('console of a server that has none says which have', async () => {
    const { code, err } = await cli(['console', 'elsewhere', '-c', config]);
    expect(code).toBe(1);
    expect(err).toMatch(/^subflowd: no server "elsewhere" has a console; known: /);
  });

  it('primary sets an override and takes it back, whatever the name', async () => {
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
  ])('primary says why not', async (name, path, why) => {
    const { code, out, err } = await cli(['primary', name, path, '-c', config]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`subflowd: ${why}`);
  });

  it('status | head ends in silence', async () => {
    daemon.clients = Array.from({ length: 1000 }, (_, n) => client(`client ${n}`));
    const script = '"$0" "$1" status -c "$2" | head -n 1; exit "${PIPESTATUS[0]}"';
    const run = await execa('bash', ['-c', script, process.execPath, MAIN, config], { reject: false });
    expect(run.stdout).toMatch(/^subflowd [^\n]*$/);
    expect([run.exitCode, run.stderr]).toEqual([0, '']);
  });

  it('a second daemon is refused before it touches anything', async () => {
    await expect(
      Console.open({ socket: join(directory, 'console.sock'), mode: 0o600 }, { daemon }),
    ).rejects.toThrow('another subflowd serves');
  });

  describe('as another user', () => {
    needs('root');

    it('a user who may not use it is told who may', async () => {
      const { code, err } = await asNobody(['status', '-c', config]);
      expect(code).toBe(1);
      expect(err).toContain(
        'you may not use that socket; be root, or a member of the group that [console] group names',
      );
    });
  });

  it('doctor asks the daemon', async () => {
    daemon.clients = [client('alice', { remotes: [{ address: '192.168.100.2', port: 1 }] })];
    daemon.problems = ['process 7: fd table: it claims too much'];
    const { out } = await cli(['doctor', '--json', '-c', config]);
    const checks = JSON.parse(out) as Check[];
    expect(checks).toContainEqual({ name: 'daemon', verdict: 'ok', found: 'subflowd runs' });
    expect(checks).toContainEqual({ name: 'daemon', verdict: 'note', found: daemon.problems[0] });
    expect(checks.find(({ name }) => name === 'client alice')?.found).toBe('it has only one subflow');
  });
});

describe('subflowd doctor', () => {
  it('names a daemon that hangs up instead of answering', async () => {
    const server = createServer((socket) => socket.end()).listen(join(directory, 'console.sock'));
    const { code, out } = await cli(['doctor', '--json', '-c', config]);
    server.close();
    expect(code).toBe(1);
    const daemon = (JSON.parse(out) as Check[]).find(({ name }) => name === 'daemon');
    expect(daemon).toMatchObject({ verdict: 'bad', remedy: expect.stringContaining('restart') as string });
    expect(daemon?.found).toContain('it closed the connection');
  });

  it('goes on to the end with a wrong config, and says how to fix it', async () => {
    ini(['nonsense']);
    const { code, out } = await cli(['doctor', '-c', config]);
    expect(code).toBe(1);
    expect(out).toContain(`BAD     config: ${config}:12: `);
    expect(out).toContain(`to fix it: correct ${config}, then: subflowd check`);
  });

  it('names a console group that does not exist', async () => {
    ini(['group = no-such-group']);
    const { code, out } = await cli(['doctor', '-c', config]);
    expect(code).toBe(1);
    expect(out).toContain('BAD     console: [console] names the group no-such-group, which does not exist');
    expect(out).toContain('to fix it: groupadd --system no-such-group');
  });

  describe('as another user', () => {
    needs('root');

    it('says that it must be root', async () => {
      const { code, out } = await asNobody(['doctor', '-c', config]);
      expect(code).toBe(1);
      expect(out).toContain(`BAD     root: running as user ${NOBODY}`);
      expect(out).toContain('to fix it: run it as root: sudo subflowd doctor');
    });
  });
});

describe('on a host that lacks', () => {
  needs('root', 'mptcp');

  const NO_MEM = 'mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3';

  beforeEach(() => {
    config = ini(['[kernel]', 'backend = devmem']);
  });

  it.each([
    ['/dev/mem', NO_MEM, 'memory', '/dev/mem does not exist', 'CONFIG_STRICT_DEVMEM=n'],
    [
      'BTF',
      'mount -t tmpfs none /sys/kernel/btf',
      'layout',
      'there is no /sys/kernel/btf/vmlinux',
      'CONFIG_DEBUG_INFO_BTF=y',
    ],
    [
      'MPTCP switched on',
      'echo 0 >/proc/sys/net/mptcp/enabled',
      'mptcp',
      'net.mptcp.enabled = 0',
      'sysctl -w net.mptcp.enabled=1',
    ],
    ['MPTCP', 'mount -t tmpfs none /proc/sys/net/mptcp', 'mptcp', 'has no MPTCP', 'CONFIG_MPTCP=y'],
  ])('%s, doctor says so, and how to fix it', async (_, change, name, found, remedy) => {
    const text = await elsewhere(change, ['doctor']);
    expect([text.code, text.err]).toEqual([1, '']);
    expect(text.out).toMatch(new RegExp(`^BAD {5}${name}: .*${found}.*\\n +to fix it: .*${remedy}`, 'm'));
    const json = await elsewhere(change, ['doctor', '--json']);
    expect([json.code, json.err]).toEqual([1, '']);
    const checks = JSON.parse(json.out) as Check[];
    expect(checks).toContainEqual({
      name,
      verdict: 'bad',
      found: expect.stringContaining(found) as string,
      remedy: expect.stringContaining(remedy) as string,
    });
    for (const check of checks) if (check.verdict === 'bad') expect(check.remedy).toBeTruthy();
    // What it lacks hides nothing else.
    expect(checks.map((check) => check.name)).toEqual(
      expect.arrayContaining(['root', 'mptcp', 'layout', 'memory', 'config', 'daemon', 'server lab']),
    );
  });

  it.each([
    ['/dev/mem', NO_MEM, 'memory', 'CONFIG_DEVMEM=y'],
    ['BTF', 'mount -t tmpfs none /sys/kernel/btf', 'layout', 'CONFIG_DEBUG_INFO_BTF=y'],
  ])(
    '%s, run ends, names the step and how to fix it, and leaves nothing behind',
    async (_, change, step, remedy) => {
      const { code, out, err } = await elsewhere(change, ['run']);
      expect([code, out]).toEqual([1, '']);
      expect(err).toMatch(
        new RegExp(
          `^subflowd: ${step}: .*\\nto fix it: .*${remedy}.* \\(subflowd doctor checks everything\\)\\n$`,
        ),
      );
      expect(existsSync(join(directory, 'console.sock'))).toBe(false);
    },
  );

  it('a right config, run ends with one line, no stack', async () => {
    ini(['nonsense']);
    const { code, err } = await elsewhere(NO_MEM, ['run']);
    expect(code).toBe(1);
    expect(err).toContain(':12: ');
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});
