import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  checkUserDirectory,
  ensureEventsDirectory,
} from '../../../../src/openvpn/records/events-directory.js';
import { until } from '../../../support/until.js';

const BUILT = resolve(import.meta.dirname, '../../../../dist/src/openvpn/records/hook-records.js');
const NOBODY = 65534;
/** Stands for user and group subflowd, and for the group that only the daemon is in. */
const DAEMON = 54_321;
const HOOKS = 54_322;

let parent: string;
let directory: string;
let nobody: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  if (!existsSync(BUILT)) throw new Error(`${BUILT} is not built: npm run build`);
  parent = mkdtempSync(join(tmpdir(), 'subflowd-rights-'));
  chmodSync(parent, 0o755);
  directory = join(parent, 'events');
  nobody = join(directory, 'nobody');
  mkdirSync(directory);
  mkdirSync(nobody);
});

afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(parent, { recursive: true });
});

/** Watches the directory with the rights of the daemon's unit. Returns the output so far: problems, and `+` with a common name. */
function watch(users: readonly { readonly name: string; readonly uid: number }[] = []): () => string[] {
  const options = JSON.stringify({ users: users.map((user) => ({ ...user, gid: user.uid })), group: HOOKS });
  const script = `
    import { HookRecords } from ${JSON.stringify(BUILT)};
    const probe = (pid) => (pid === 100 ? { is: 'openvpn', euid: ${NOBODY} } : { is: 'gone' });
    const events = new HookRecords(${JSON.stringify(directory)}, { ...${options}, probe, rescanMs: 100 });
    const say = (text) => process.stdout.write(JSON.stringify(text) + '\\n');
    events.on('problem', say).on('added', ({ record }) => say('+' + record.commonName));
    events.start();
    setTimeout(() => process.exit(), 60_000);`;
  const rights = [`--reuid=${DAEMON}`, `--regid=${DAEMON}`, `--groups=${HOOKS}`, '--inh-caps=-all'];
  const more = ['--ambient-caps=-all', '--bounding-set=-all', '--no-new-privs'];
  const program = [process.execPath, '--input-type=module', '-e', script];
  child = spawn('setpriv', [...rights, ...more, ...program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as string);
}

function record(name: string, commonName: string): string {
  const [, pid, ip, port] = /^(\d+)-(.+)-(\d+)$/.exec(name) ?? [];
  const file = join(nobody, name);
  writeFileSync(
    file,
    `subflowd-event=1\0daemon_pid=${pid}\0trusted_ip=${ip}\0trusted_port=${port}\0common_name=${commonName}\0end\0`,
    { mode: 0o640 },
  );
  // the group is that of the directory, if that has mode 2770
  chownSync(file, NOBODY, statSync(file).gid);
  return file;
}

describe('records that the daemon reads with the rights of its unit', () => {
  it('are read, and stale ones are removed, if the group of the daemon may write', async () => {
    chownSync(nobody, NOBODY, HOOKS);
    chmodSync(nobody, 0o2770);
    record('100-192.0.2.1-1', 'alice');
    const stale = record('999-192.0.2.1-1', 'stale');
    const said = watch();
    await until('alice', () => said().includes('+alice'));
    await until('the stale one is removed', () => !existsSync(stale));
    record('100-192.0.2.1-2', 'bob');
    await until('bob', () => said().includes('+bob'));
    // a record may be read twice: before it has its owner, and after
    expect([...new Set(said())]).toEqual(['+alice', '+bob']);
  });

  it('are not read if only their user may do so, and each problem has the command that lets the daemon do so', async () => {
    chownSync(nobody, NOBODY, NOBODY);
    chmodSync(nobody, 0o700);
    const stale = record('999-192.0.2.1-1', 'stale');
    const said = watch();
    const command = `chgrp subflowd-hooks ${nobody} && chmod 2770 ${nobody}`;
    const denied = `EACCES: user ${DAEMON} may not read ${nobody}, which has owner nobody:nogroup and mode 0700: ${command}`;
    const problems = [
      `cannot read ${nobody}: ${denied}`,
      `cannot watch ${nobody}, so it is only read every 0.1 s: ${denied}`,
      `stale records in ${nobody} are ignored, but cannot be removed; to fix it: ${command}`,
    ];
    await until('the problems', () => said().length >= problems.length);
    // several scans, which no event shows: none reports anything else
    await new Promise((done) => setTimeout(done, 500));
    expect(said().sort()).toEqual(problems);
    chownSync(nobody, NOBODY, HOOKS);
    chmodSync(nobody, 0o2770);
    record('100-192.0.2.1-1', 'alice');
    await until('after the command it is read', () => said().includes('+alice'));
    await until('the stale one is removed', () => !existsSync(stale));
  });

  it('of an earlier version, which only their user may read, are named with what to do', async () => {
    chownSync(nobody, NOBODY, HOOKS);
    chmodSync(nobody, 0o2770);
    chmodSync(record('100-192.0.2.1-1', 'alice'), 0o600);
    const said = watch();
    await until('a problem', () => said().length > 0);
    expect(said()[0]).toContain(
      `subflowd may not read it: install the hooks of this version, then: chmod 2770 ${nobody}`,
    );
  });

  it('need the events directory: if it is missing, a problem has the line that makes it', async () => {
    rmSync(directory, { recursive: true });
    const said = watch();
    await until('a problem', () => said().length > 0);
    expect(said()[0]).toContain(
      `add the line "d ${directory} 0755 root root -" to /etc/tmpfiles.d/subflowd.conf`,
    );
  });

  it('need the directory of the user: if it is missing, a problem has the line that makes it', async () => {
    const said = watch([{ name: 'vpn', uid: 12_345 }]);
    await until('a problem', () => said().length > 0);
    expect(said()[0]).toContain(
      `add the line "d ${directory}/vpn 2770 vpn subflowd-hooks -" to /etc/tmpfiles.d/subflowd.conf, then run: systemd-tmpfiles --create`,
    );
    expect(existsSync(join(directory, 'vpn'))).toBe(false);
  });
});

describe('the directory of a user', () => {
  it('is made for the group of the daemon, if there is one', () => {
    ensureEventsDirectory(directory, [{ name: 'vpn', uid: 12_345, gid: 12_345 }], HOOKS);
    expect(checkUserDirectory(join(directory, 'vpn'), HOOKS)).toEqual({ uid: 12_345 });
    expect(() => checkUserDirectory(join(directory, 'vpn'))).toThrow(/others than its owner can write/);
  });

  it.each([
    [0o770, DAEMON, 'chmod 0700'],
    [0o777, HOOKS, 'chmod 2770'],
    [0o702, HOOKS, 'chmod 2770'],
  ])('is not trusted with mode %o and group %d', (mode, group, remedy) => {
    chownSync(nobody, NOBODY, group);
    chmodSync(nobody, mode);
    expect(() => checkUserDirectory(nobody, HOOKS)).toThrow(remedy);
  });
});
