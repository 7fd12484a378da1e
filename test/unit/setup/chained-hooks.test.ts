import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-chained-'));
  cpSync(resolve(import.meta.dirname, '../../../hooks'), join(directory, 'hooks'), { recursive: true });
  mkdirSync(join(directory, 'events/own'), { recursive: true });
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Writes a script of an admin. @returns its path. */
function script(text: string): string {
  const file = join(directory, 'check.sh');
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** Runs a chained hook as OpenVPN does. @returns its exit status, and the number of records. */
function run(hook: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout } = spawnSync(join(directory, 'hooks', hook), args, {
    cwd: directory,
    encoding: 'utf8',
    env: {
      PATH: '/usr/bin:/bin',
      SUBFLOWD_EVENTS: join(directory, 'events'),
      script_type: 'client-connect',
      daemon_pid: '42',
      trusted_ip: '192.0.2.1',
      trusted_port: '1194',
      time_unix: '7',
      ifconfig_pool_remote_ip: '10.8.0.2',
      common_name: 'alice',
      ...env,
    },
  });
  return { status, out: stdout, records: readdirSync(join(directory, 'events/own')).length };
}

describe('client-connect-chained', () => {
  it('gives the script its arguments, the file of OpenVPN and the environment, and records a client that it lets in', () => {
    const check = script('echo "$# $1 $common_name"; echo push >"$2"');
    const file = join(directory, 'cc');
    expect(run('client-connect-chained', [check, 'a b', file])).toEqual({
      status: 0,
      out: '2 a b alice\n',
      records: 1,
    });
    expect(readFileSync(file, 'utf8')).toBe('push\n');
  });

  it.each([1, 3, 127])('returns the exit status %i of the script, and records nothing', (status) => {
    expect(run('client-connect-chained', [script(`exit ${status}`)])).toMatchObject({ status, records: 0 });
  });

  it('refuses a client if the script cannot be started, as OpenVPN does', () => {
    const { status, records } = run('client-connect-chained', [join(directory, 'missing')]);
    expect([status === 0, records]).toEqual([false, 0]);
  });

  it('starts a script without a directory from the directory of OpenVPN', () => {
    script('exit 0');
    expect(run('client-connect-chained', ['check.sh'])).toMatchObject({ status: 0, records: 1 });
  });

  it.each([
    ['0', 0],
    ['1', 1],
    ['2\n', 0],
    ['', 1],
  ])('with the verdict %j in the file for it leaves %i records', (verdict, records) => {
    const file = join(directory, 'deferred');
    writeFileSync(file, '');
    const check = script(`printf '${verdict.replace('\n', '\\n')}' >"$client_connect_deferred_file"`);
    const result = run('client-connect-chained', [check], { client_connect_deferred_file: file });
    expect(result).toMatchObject({ status: 0, records });
    expect(readFileSync(file, 'utf8')).toBe(verdict);
  });
});

describe('client-disconnect-chained', () => {
  it('runs the script, removes the record, and returns the exit status', () => {
    run('client-connect-chained', [script('exit 0')]);
    const check = script(`touch ${join(directory, 'ran')}; exit 5`);
    expect(run('client-disconnect-chained', [check])).toMatchObject({ status: 5, records: 0 });
    expect(existsSync(join(directory, 'ran'))).toBe(true);
  });
});
