import { readFileSync, writeFileSync } from 'node:fs';

import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../src/console/listen/console.js';
import type { DaemonStatus } from '../../src/api/status.js';
import type { Check } from '../../src/model/check.js';
import { qualifiedName } from '../../src/model/session.js';
import { MAIN } from '../support/command-line.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';
import { client, Steered, switchOf } from '../unit/console/steered.js';

const DIST = resolve(import.meta.dirname, '../../dist/src');
/** A common name that moves the cursor, reorders text, hides characters, and contains a line that looks like doctor's. */
const NASTY = '\u009b2J\u009d0;x\u202egnp\u200b\u2066\ufeff\u2028\nBAD     root: x\u{e0041}';
const ASCII = /^[\n -~]*$/;

let directory: string;
let config: string;
let daemon: Steered;
let console: Console;

beforeEach(async () => {
  directory = temporaryDirectory();
  config = join(directory, 'subflowd.ini');
  const socket = join(directory, 'console.sock');
  const lines = ['[openvpn lab]', `events = ${directory}/events`, '[console]', `socket = ${socket}`, ''];
  writeFileSync(config, lines.join('\n'));
  daemon = new Steered(join(directory, 'overrides.json'), []);
  console = await Console.open({ socket, mode: 0o600 }, { daemon });
});
afterEach(async () => {
  await console.close();
});

async function cli(...args: readonly string[]) {
  const result = await execa(process.execPath, [MAIN, ...args, `--config=${config}`], {
    reject: false,
    timeout: 60_000,
  });
  return { code: result.exitCode, out: result.stdout, err: result.stderr };
}

describe('a client whose name would move a terminal, reorder a line or hide', () => {
  beforeEach(async () => {
    const known = client(NASTY, { remotes: [{ address: '192.168.100.2', port: 1 }] });
    daemon.clients = [{ ...known, session: { ...known.session, cid: 3 } }];
    await daemon.setOverride(`lab/${NASTY}`, 'lte');
    daemon.problems = [`trouble with ${NASTY}`];
  });

  it.each([
    [['status']],
    [['status', '3']],
    [['explain', '3']],
    [['rules']],
    [['paths']],
    [['primary', '3', 'wifi']],
    [['primary', 'nobody\u202e\u009b', 'wifi']],
    [['primary', '3', 'nowhere\u202e\u009b']],
    [['status', '--bogus\u202e\u009b']],
    [['\u202e\u009b']],
    [['console', 'nowhere\u202e\u009b']],
    [['doctor']],
    [['check']],
  ])('is printed escaped by %j', async (args) => {
    const { out, err } = await cli(...args);
    expect(out + err).toMatch(ASCII);
    expect(out + err).not.toMatch(/^BAD {5}root: x/m);
    if (/status|explain|rules/.test(args[0] ?? '') && args[1]?.startsWith('-') !== true)
      expect(out).toContain(
        '\\x9b2J\\x9d0;x\\u202egnp\\u200b\\u2066\\ufeff\\u2028\\x0aBAD     root: x\\u{e0041}',
      );
  });

  it('is escaped in every JSON output, and unchanged after parsing', async () => {
    const status = await cli('status', '--json');
    expect(status.out).toMatch(ASCII);
    expect((JSON.parse(status.out) as DaemonStatus).sessions[0]?.session.commonName).toBe(NASTY);
    const doctor = await cli('doctor', '--json');
    expect(doctor.out).toMatch(ASCII);
    expect((JSON.parse(doctor.out) as Check[]).map(({ name }) => name)).toContain(`client ${NASTY}`);
    writeFileSync(config, `${readFileSync(config, 'utf8')}[path \u202e\u009b]\n`);
    const check = await cli('check', '--json');
    expect(check.out).toMatch(ASCII);
    expect(JSON.parse(check.out)).toMatchObject({ problems: [{ section: '[path \u202e\u009b]' }, {}] });
    expect((await cli('check')).out).toMatch(ASCII);
  });

  it('is printed escaped by watch', async () => {
    const watch = execa(process.execPath, [MAIN, 'watch', '--config', config], {
      reject: false,
    });
    let printed = '';
    watch.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const [plan] = daemon.status().sessions;
    if (plan === undefined) throw new Error('there is no session');
    await until('an event is printed', () => {
      const { server, commonName } = plan.session;
      daemon.events.publish(switchOf({ server, commonName, committedAt: 1 }));
      return printed.includes('\n');
    });
    watch.kill();
    await watch;
    expect(printed).toMatch(ASCII);
    expect(printed).toContain('lab/\\x9b2J');
  });

  it.each(['json', 'text'])('is escaped in a log of format %s', async (format) => {
    const script = `
      const { createLog } = await import(${JSON.stringify(join(DIST, 'util/log.js'))});
      const name = ${JSON.stringify(NASTY)};
      createLog({ level: 'info', format: '${format}' }).info({ commonName: name }, name + ' is there');`;
    const { stderr } = await execa(process.execPath, ['--input-type=module', '--eval', script]);
    expect(stderr).toMatch(/^[ -~]+$/);
    if (format === 'json')
      expect(JSON.parse(stderr)).toMatchObject({ commonName: NASTY, msg: `${NASTY} is there` });
  });
});

describe('a client whose name looks like an option or a keyword', () => {
  it.each(['-n', '--json', '--', 'json', '$(id)'])('%s can be given after --', async (name) => {
    daemon.clients = [client(name), client('alice')];
    const run = async (...args: readonly string[]) => {
      const [verb = '', ...names] = args;
      const given = [MAIN, verb, '--config', config, '--', ...names];
      return execa(process.execPath, given, { reject: false });
    };
    expect((await run('status', name)).stdout).toContain(`session ${name}: `);
    expect((await run('explain', name)).stdout).toContain(`session ${name}: `);
    expect((await run('primary', name, 'lte')).stdout).toContain(`lab/${name}: `);
    const [session] = daemon.sessions();
    expect(daemon.status().overrides).toEqual({ [session ? qualifiedName(session) : '']: 'lte' });
  });

  it('must follow --, says the error, if it was taken as an option', async () => {
    const { code, err } = await cli('primary', '-n', 'lte');
    expect(code).toBe(2);
    expect(err).toBe(
      "error: unknown option '-n'\nWrite -- before a name that begins with -, for example: subflowd primary -- -n lte",
    );
    expect((await cli('paths', '-n')).err).toBe("error: unknown option '-n'");
  });
});
