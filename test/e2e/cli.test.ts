import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { cli, MAIN, writeIni } from '../support/command-line.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let directory: string;
let config: string;

beforeEach(() => {
  directory = temporaryDirectory();
  config = writeIni(directory);
});

describe('subflowd', () => {
  it.each([
    ['check', ['FILE:LINE', '--json', '/etc/subflowd/subflowd.ini']],
    ['doctor', ['to fix it:', '--json', 'Exit 1']],
    ['run', ['--log-level', '--log-format', 'standard error']],
    ['status', ["CLIENT'S PRIORITY", '--json']],
    ['primary', ['<client>', '<path>', 'auto', 'For example']],
  ])('%s --help names its options and what it prints', async (command, words) => {
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
  ])('%j is refused with exit code 2', async (args, why) => {
    const { code, out, err } = await cli(args);
    expect(code).toBe(2);
    expect(err).toContain(why);
    expect(out).toBe('');
  });

  it('prints its version', async () => {
    expect((await cli(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('loads one small file for its version and for a command that asks the daemon', () => {
    const text = readFileSync(MAIN, 'utf8');
    const imported = [...text.matchAll(/(?:\bfrom|\bimport\()\s*"([^"]+)"/g)].map(([, name = '']) => name);
    expect(imported.filter((name) => !name.startsWith('node:'))).toEqual(['./program.js']);
    expect(text).toContain('import("./program.js")');
    // The parser of the command line alone has 44 kB, and that of the config 470 kB.
    expect(text.length).toBeLessThan(32_768);
  });
});

describe('subflowd check', () => {
  it('reports that a correct config has no mistake', async () => {
    expect(await cli(['check', '-c', config])).toEqual({ code: 0, out: `${config}: no mistake\n`, err: '' });
  });

  it('--json prints the parsed config', async () => {
    const { code, out } = await cli(['check', '--json', '-c', config]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      file: config,
      problems: [],
      config: { default: { primary: ['wifi'] }, console: { mode: 0o660 } },
    });
  });

  it('reports every mistake with its line and escapes control characters', async () => {
    writeIni(directory, {
      lines: ['[client \u001b[2Jalice]', 'primry = lte', '[client bob]', 'primary = moon'],
    });
    const { code, out, err } = await cli(['check', '-c', config]);
    expect([code, err]).toEqual([1, '']);
    expect(out).toMatch(new RegExp(`^${config}:13: .*\`primry\``, 'm'));
    expect(out).toMatch(new RegExp(`^${config}:15: \\[client bob\\]: .*\\[path moon\\]`, 'm'));
    expect(out).not.toContain('\u001b');
  });

  it('--json reports the same mistakes', async () => {
    writeIni(directory, { lines: ['[client bob]', 'primary = moon'] });
    const { code, out } = await cli(['check', '--json', '-c', config]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      file: config,
      problems: [{ line: 13, section: '[client bob]', key: 'primary' }],
    });
  });

  it('reports that a file does not exist', async () => {
    const file = join(directory, 'none.ini');
    expect(await cli(['check', '-c', file])).toEqual({ code: 1, out: `${file}: does not exist\n`, err: '' });
  });
});

describe('without a daemon', () => {
  it.each([[['status']], [['status', '--json']], [['primary', 'alice', 'lte']]])(
    '%j reports that it is not running',
    async (args) => {
      const { code, out, err } = await cli([...args, '-c', config]);
      expect([code, out]).toEqual([1, '']);
      expect(err).toBe(
        `subflowd: no answer from the daemon at its console ${directory}/console.sock: ` +
          'it is not running; start it (systemctl start subflowd, or subflowd run)\n',
      );
    },
  );

  it.each(['status', 'paths', 'watch', 'console'])('%s reports a mistake in the config', async (command) => {
    writeIni(directory, { lines: ['nonsense'] });
    const { code, err } = await cli([command, '-c', config]);
    expect(code).toBe(1);
    expect(err).toContain(`${config}:12: `);
  });
});
