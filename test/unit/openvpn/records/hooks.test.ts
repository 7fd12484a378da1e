import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseRecord, parseRecordName } from '../../../../src/openvpn/records/record.js';
import { CLIENT_VARIABLES, RECORD_NAME } from '../../../support/client-connect.js';

const HOOKS = resolve(import.meta.dirname, '../../../../hooks');
const VARIABLES = { script_type: 'client-connect', ...CLIENT_VARIABLES };

/** A copy that every user may run, because others may not be allowed into the checkout. */
let installed: string;
let events: string;
let own: string;

beforeAll(() => {
  installed = mkdtempSync(join(tmpdir(), 'subflowd-hooks-installed-'));
  cpSync(HOOKS, installed, { recursive: true });
  chmodSync(installed, 0o755);
});

afterAll(() => {
  rmSync(installed, { recursive: true, force: true });
});

beforeEach(() => {
  events = mkdtempSync(join(tmpdir(), 'subflowd-hooks-'));
  own = join(events, 'root');
  mkdirSync(own, { mode: 0o700 });
});

afterEach(() => {
  rmSync(events, { recursive: true, force: true });
});

/** Runs a hook as OpenVPN does, with only OpenVPN's environment. A hook always ends soon with exit code 0 and no output. */
async function hook(
  name: 'client-connect' | 'client-disconnect',
  variables: Readonly<Record<string, string>> = VARIABLES,
  wrapper: readonly string[] = [],
): Promise<void> {
  const path = join(installed, name);
  const [command = path, ...args] = wrapper;
  if (wrapper.length > 0) args.push(path);
  const { stdout, stderr, exitCode } = await execa(command, args, {
    env: { SUBFLOWD_EVENTS: events, ...variables },
    extendEnv: false,
    preferLocal: false,
    timeout: 5_000,
    reject: false,
  });
  expect({ stdout, stderr, exitCode }).toEqual({ stdout: '', stderr: '', exitCode: 0 });
}

describe('client-connect', () => {
  it('records the variables of OpenVPN', async () => {
    await hook('client-connect');
    expect(readdirSync(own)).toEqual([RECORD_NAME]);
    expect(parseRecord(readFileSync(join(own, RECORD_NAME)))).toEqual({
      record: {
        pid: 4242,
        real: { address: '192.0.2.7', port: 50000 },
        commonName: 'alice',
        virtual: ['10.8.0.2'],
        since: 1700000000,
        device: 'tun0',
        config: 'server.conf',
        protocol: 'tcp',
      },
    });
  });

  it.each(['a.b', `"quo'tes" \`x\` $(id)`, 'Zoë', 'line\nline', '-n', '%s\\0end', 'x'.repeat(7_000), ''])(
    'keeps the common name %j',
    async (commonName) => {
      await hook('client-connect', { ...VARIABLES, common_name: commonName });
      expect(parseRecord(readFileSync(join(own, RECORD_NAME)))).toMatchObject({ record: { commonName } });
    },
  );

  it('overwrites a stale record', async () => {
    await hook('client-connect', { ...VARIABLES, common_name: 'a far longer name than the next' });
    await hook('client-connect');
    expect(parseRecord(readFileSync(join(own, RECORD_NAME)))).toMatchObject({
      record: { commonName: 'alice' },
    });
  });

  it('does not wait for a FIFO, and does not write through a link or to a device', async () => {
    const target = join(events, 'target');
    writeFileSync(target, 'precious');
    const path = join(own, RECORD_NAME);
    const plants = [
      ['mkfifo', path],
      ['mknod', path, 'c', '1', '3'],
      ['ln', '-s', target, path],
      ['ln', '-s', join(events, 'new'), path],
      ['mkdir', path],
    ] as const;
    for (const [command, ...args] of plants) {
      await execa(command, args);
      const { mode } = lstatSync(path);
      await hook('client-connect');
      await hook('client-disconnect');
      if ((mode & 0o170000) !== 0o120000) expect(lstatSync(path).mode).toBe(mode);
      rmSync(path, { recursive: true, force: true });
    }
    expect(readFileSync(target, 'utf8')).toBe('precious');
    expect(existsSync(join(events, 'new'))).toBe(false);
  });

  it.each([
    ['no variables at all', {}],
    ['an address with a slash', { ...VARIABLES, trusted_ip: '../x' }],
    ['a PID that is not a number', { ...VARIABLES, daemon_pid: '../4' }],
    ['a port that is not a number', { ...VARIABLES, trusted_port: '5/0' }],
  ])('records nothing given %s', async (_what, variables) => {
    await hook('client-connect', variables);
    expect(readdirSync(own)).toEqual([]);
    expect(readdirSync(events)).toEqual(['root']);
  });

  it('works if it may not start processes, and leaves no part of a record at a limit on file size', async () => {
    const nobody = join(events, 'nobody');
    await execa('install', ['-d', '-m', '0700', '-o', 'nobody', nobody]);
    await execa('chmod', ['0755', events]);
    const asNobody = ['/usr/bin/setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'];
    await hook('client-connect', VARIABLES, [...asNobody, '/usr/bin/prlimit', '--nproc=0']);
    expect(readdirSync(nobody)).toEqual([RECORD_NAME]);
    await hook('client-disconnect', VARIABLES, [...asNobody, '/usr/bin/prlimit', '--nproc=0']);
    expect(readdirSync(nobody)).toEqual([]);
    await hook('client-connect', VARIABLES, [...asNobody, '/usr/bin/prlimit', '--fsize=10']);
    expect(readdirSync(nobody)).toEqual([]);
    // without a right to start rm, the part that was written stays, and is no record
    const limits = ['/usr/bin/prlimit', '--fsize=10', '--nproc=0'];
    await hook('client-connect', VARIABLES, [...asNobody, ...limits]);
    expect(parseRecord(readFileSync(join(nobody, RECORD_NAME)))).toEqual({ unfinished: true });
  });
});

describe('client-disconnect', () => {
  it('removes the record, and accepts that there is none', async () => {
    await hook('client-connect');
    await hook('client-connect', { ...VARIABLES, trusted_port: '50001' });
    await hook('client-disconnect');
    await hook('client-disconnect');
    expect(readdirSync(own)).toEqual(['4242-192.0.2.7-50001-1700000000-10.8.0.2']);
    rmSync(events, { recursive: true });
    await hook('client-disconnect');
  });
});

describe('both hooks', () => {
  it('keep two clients apart that have the same endpoint over TCP and UDP', async () => {
    const both = { ...VARIABLES, proto_1: 'tcp-server', proto_2: 'udp' };
    const other = {
      ...both,
      time_unix: '1700000009',
      ifconfig_pool_remote_ip: '10.8.0.3',
      common_name: 'bob',
    };
    await hook('client-connect', both);
    await hook('client-connect', other);
    const found = readdirSync(own).map((name) => parseRecord(readFileSync(join(own, name))));
    expect(found).toMatchObject([{ record: { commonName: 'alice' } }, { record: { commonName: 'bob' } }]);
    for (const parsed of found) expect(parsed).not.toHaveProperty('record.protocol');
    await hook('client-disconnect', both);
    expect(readdirSync(own)).toEqual(['4242-192.0.2.7-50000-1700000009-10.8.0.3']);
  });

  it('remove the record of a client that connected before the hooks were updated', async () => {
    writeFileSync(join(own, '4242-192.0.2.7-50000'), '');
    await hook('client-disconnect');
    expect(readdirSync(own)).toEqual([]);
  });

  it('remove the record of a client whose address changed, outside or inside the tunnel', async () => {
    const other = {
      ...VARIABLES,
      proto_1: 'udp',
      trusted_ip: '192.0.2.9',
      ifconfig_pool_remote_ip: '10.8.0.3',
    };
    await hook('client-connect', other);
    await hook('client-connect');
    await hook('client-disconnect', { ...VARIABLES, ifconfig_pool_remote_ip: '10.9.9.9' });
    await hook('client-disconnect', { ...other, trusted_ip: '198.51.100.1', trusted_port: '1' });
    expect(readdirSync(own)).toEqual([]);
    await hook('client-connect', { ...VARIABLES, time_unix: '', ifconfig_pool_remote_ip: '' });
    expect(readdirSync(own)).toEqual(['4242-192.0.2.7-50000--']);
    expect(parseRecordName('4242-192.0.2.7-50000--')).toBeDefined();
    await hook('client-disconnect', { ...VARIABLES, time_unix: '', ifconfig_pool_remote_ip: '' });
    expect(readdirSync(own)).toEqual([]);
  });

  it('work in a chroot that contains only the shell and rm', async () => {
    const root = mkdtempSync(join(tmpdir(), 'subflowd-chroot-'));
    try {
      for (const program of ['/bin/sh', '/bin/rm']) {
        const { stdout } = await execa('ldd', [program]);
        const files = [program, ...(stdout.match(/\/\S+(?= \()/g) ?? [])];
        for (const file of files) cpSync(file, join(root, file), { dereference: true });
      }
      cpSync(installed, join(root, 'hooks'), { recursive: true });
      mkdirSync(join(root, 'events/root'), { recursive: true, mode: 0o700 });
      const run = (name: string) =>
        execa('/usr/sbin/chroot', [root, `/hooks/${name}`], {
          env: { SUBFLOWD_EVENTS: '/events', ...VARIABLES },
          extendEnv: false,
          preferLocal: false,
        });
      expect(await run('client-connect')).toMatchObject({ stdout: '', stderr: '' });
      expect(readdirSync(join(root, 'events/root'))).toEqual([RECORD_NAME]);
      expect(parseRecord(readFileSync(join(root, 'events/root', RECORD_NAME)))).toHaveProperty('record');
      expect(await run('client-disconnect')).toMatchObject({ stdout: '', stderr: '' });
      expect(readdirSync(join(root, 'events/root'))).toEqual([]);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  it('pass shellcheck', async () => {
    const { stdout } = await execa('shellcheck', ['client-connect', 'client-disconnect'], {
      cwd: HOOKS,
      reject: false,
    });
    expect(stdout).toBe('');
  });
});
