import { mkdtempSync, chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../lab/needs.js';
import { MAIN } from '../support/command-line.js';

const DIST = resolve(import.meta.dirname, '../../dist/src');
/** The numbers of user and group subflowd, and of group subflowd-hooks: systemd-sysusers chooses such ones. */
const DAEMON = 54_321;
const HOOKS = 54_322;
/** As in the unit of a version without a helper. */
const CAPABILITIES = '+net_admin,+sys_ptrace,+dac_read_search';

const MAKE_DIRECTORIES =
  'install -D --mode 644 openvpn-conf/subflowd-tmpfiles.conf /etc/tmpfiles.d/subflowd.conf && ' +
  'systemd-tmpfiles --create && systemctl restart subflowd';
const USE_UNIT =
  'install openvpn-conf/subflowd.service anew, then: systemctl daemon-reload && systemctl restart subflowd';

/** In a mount namespace: the accounts that the unit needs, empty /run and /var/lib, and then what each test puts there. */
const HOST = `
set -eu
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
eval "$2"
shift 2
exec "$@"
`;
/** The directories of openvpn-conf/subflowd-tmpfiles.conf. */
const DIRECTORIES = `
install -d -m 1775 -g ${HOOKS} /run/subflowd
install -d -m 755 /run/subflowd/events
install -d -m 2770 -g ${HOOKS} /run/subflowd/events/root
install -d -m 2770 -o nobody -g ${HOOKS} /run/subflowd/events/nobody
`;
const STATE = `install -d -m 755 -o ${DAEMON} -g ${DAEMON} /var/lib/subflowd`;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-upgrade-'));
  chmodSync(directory, 0o755);
  const add = (file: string, ...lines: readonly string[]) => {
    const others = readFileSync(`/etc/${file}`, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('subflowd'));
    writeFileSync(join(directory, file), [...others, ...lines, ''].join('\n'));
  };
  add('passwd', `subflowd:x:${DAEMON}:${DAEMON}::/:/usr/sbin/nologin`);
  add('group', `subflowd:x:${DAEMON}:`, `subflowd-hooks:x:${HOOKS}:subflowd`);
  configure();
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function configure(...more: readonly string[]): void {
  const lines = ['[openvpn lab]', 'management = /run/m', ...more, ''];
  writeFileSync(join(directory, 'subflowd.ini'), lines.join('\n'));
}

interface Rights {
  readonly groups?: string;
  readonly capabilities?: string;
}

/** Runs node as the unit would, on a host that a script has prepared. @returns its output. */
async function run(
  prepare: string,
  words: readonly string[],
  { groups = `--groups=${HOOKS}`, capabilities = CAPABILITIES }: Rights = {},
): Promise<string> {
  const user = [`--reuid=${DAEMON}`, `--regid=${DAEMON}`, groups];
  const rights = [`--inh-caps=-all,${capabilities}`, `--ambient-caps=${capabilities}`, '--no-new-privs'];
  const program = ['setpriv', ...user, ...rights, `--bounding-set=-all,${capabilities}`, process.execPath];
  const host = ['--mount', '--net', 'sh', '-c', HOST, 'sh', directory, prepare];
  const { stdout, stderr } = await execa('unshare', [...host, 'timeout', '60', ...program, ...words], {
    reject: false,
    cwd: '/',
  });
  return stdout + stderr;
}

/** Starts the daemon, and ends it when it serves. @returns its output. */
function daemon(prepare: string, rights?: Rights, processes = ['--single']): Promise<string> {
  const words = ['run', ...processes, '--log-format', 'text', '--config', join(directory, 'subflowd.ini')];
  const start = `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ${JSON.stringify([MAIN, ...words])});
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => {
      text += chunk;
      if (text.includes(' serves lab ')) child.kill();
    });
    child.on('close', () => console.log(text));`;
  return run(prepare, ['--eval', start], rights);
}

/** Lets an admin set an override. */
function override(prepare: string, file: string): Promise<string> {
  const script = `
    import { OverrideStore } from ${JSON.stringify(join(DIST, 'control/overrides.js'))};
    try { new OverrideStore(${JSON.stringify(file)}).set('lab/alice', 'wifi'); console.log('written'); }
    catch (error) { console.log(error.message); }`;
  return run(prepare, ['--input-type=module', '--eval', script]);
}

const socket = 'the console socket /run/subflowd/console.sock cannot be made';

describe('a newer daemon with the unit and the directories of an older one', () => {
  needs('root', 'mptcp');

  it('serves if its user may write to them', async () => {
    expect(await daemon(DIRECTORIES + STATE)).toContain('serves lab through netlink');
    expect(await override(STATE, '/var/lib/subflowd/overrides.json')).toBe('written');
  });

  it.each([
    [
      'that an older subflowd-tmpfiles.conf made',
      'install -d -m 755 /run/subflowd',
      `${socket}: EACCES: user subflowd may not write to /run/subflowd, which has owner root:root and mode 0755: ${MAKE_DIRECTORIES}`,
    ],
    [
      'that no subflowd-tmpfiles.conf made',
      '',
      `${socket}: EACCES: user subflowd may not create a file in /run, which has owner root:root and mode 0755: ${MAKE_DIRECTORIES}`,
    ],
    [
      'that is missing, in a sandbox where it may not make it',
      'mount -o remount,ro /run',
      `${socket}: EROFS: /run/subflowd is read-only to this process: ${MAKE_DIRECTORIES}`,
    ],
  ])('reports how to make a directory for consoles %s', async (_what, prepare, message) => {
    expect(await daemon(prepare)).toContain(message);
  });

  it('reports that its unit is older if the unit does not give it the group of the directory', async () => {
    expect(await daemon(DIRECTORIES, { groups: '--clear-groups' })).toContain(
      `${socket}: EACCES: user subflowd may not write to /run/subflowd, which has owner root:subflowd-hooks and mode 01775: ` +
        `run it as root; for the daemon ${USE_UNIT}`,
    );
  });

  it('reports why it cannot write overrides, and how to fix it', async () => {
    const file = '/var/lib/subflowd/overrides.json';
    const owned = 'install -d -m 755 /var/lib/subflowd';
    expect(await override(owned, file)).toBe(
      `${file} cannot be written: EACCES: user subflowd may not write to /var/lib/subflowd, which has owner root:root and ` +
        'mode 0755: chown -R subflowd: /var/lib/subflowd',
    );
    expect(await override(`${STATE}; mount -o remount,ro /var/lib`, file)).toBe(
      `${file} cannot be written: EROFS: /var/lib/subflowd is read-only to this process: for the daemon ${USE_UNIT}; else ` +
        'mount it read-write',
    );
  });

  it('reports why it cannot read its config and its passwords, and serves after these commands', async () => {
    const capabilities = '+net_admin,+sys_ptrace';
    const read = 'run it as root, or let that user read it; for the daemon: ';
    const config = join(directory, 'subflowd.ini');
    chmodSync(config, 0o600);
    expect(await daemon(DIRECTORIES, { capabilities })).toContain(
      `${config}: cannot be read: EACCES: user subflowd may not read ${config}, which has owner root:root and mode 0600: ` +
        `${read}chgrp subflowd-hooks ${config} && chmod 640 ${config}`,
    );
    configure('console-listen = 127.0.0.1 7505', 'console-password-file = /run/secret/password');
    chmodSync(config, 0o644);
    const secret =
      'install -d -m 700 /run/secret; echo sesame >/run/secret/password; chmod 600 /run/secret/password';
    const denied =
      "the console's password file cannot be used: /run/secret/password cannot be read: EACCES: user subflowd may not ";
    expect(await daemon(`${DIRECTORIES}${secret}`, { capabilities })).toContain(
      `${denied}search /run/secret, which has owner root:root and mode 0700: ${read}move what it needs to ` +
        '/run/subflowd/management, or to another directory that group subflowd-hooks may search',
    );
    const searchable = `${secret}; chgrp subflowd-hooks /run/secret; chmod 750 /run/secret`;
    expect(await daemon(`${DIRECTORIES}${searchable}`, { capabilities })).toContain(
      `${read}chgrp subflowd-hooks /run/secret/password && chmod 640 /run/secret/password`,
    );
    const readable = `${searchable}; chgrp subflowd-hooks /run/secret/password; chmod 640 /run/secret/password`;
    expect(await daemon(`${DIRECTORIES}${readable}`, { capabilities })).toContain(
      'serves lab through netlink',
    );
  });

  it('reports that it needs a helper, and how to start one, with the unit of a version without', async () => {
    expect(await daemon(DIRECTORIES + STATE, {}, [])).toContain(
      'no helper at /run/subflowd/helper.sock: connect ENOENT /run/subflowd/helper.sock\nto fix it: install ' +
        'openvpn-conf/subflowd-helper.socket and subflowd-helper.service (docs/privileges.md, Upgrade), then systemctl enable ' +
        '--now subflowd-helper.socket; where there is no systemd: subflowd run --single, as root',
    );
  });
});
