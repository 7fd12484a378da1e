import { chmod, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { checkout } from '../checkout.js';
import type { Namespace } from '../namespace.js';
import type { SidecarFiles } from '../sidecar-files.js';
import { until } from '../../support/until.js';

const conf = (name: string) => path.join(checkout, 'openvpn-conf', name);

/** The paths that the files in openvpn-conf/ use. */
export const installed: SidecarFiles = {
  config: '/etc/subflowd/subflowd.ini',
  console: '/run/subflowd/console.sock',
  management: '/run/subflowd/management/server.sock',
  passwordFile: '/etc/openvpn/server/management.password',
  events: '/run/subflowd/events',
};

const hooks = '/usr/local/lib/subflowd';
const globalModules = '/usr/local/lib/node_modules';

/** These files are copied unchanged to the path that their first line names. */
const copiedFiles = [
  'subflowd.ini',
  'subflowd.service',
  'subflowd-helper.service',
  'subflowd-helper.socket',
  'subflowd-sysusers.conf',
  'subflowd-tmpfiles.conf',
  'subflowd-sysctl.conf',
  'openvpn-server@.service.d/mptcp.conf',
  'openvpn@.service.d/mptcp.conf',
];

/**
 * Installs openvpn-conf/ on this machine as an admin does, unchanged. The lab adds only a drop-in that puts both units into
 * the network namespace of the lab's server.
 * @param serverLines the OpenVPN config that the admin already has. The options of openvpn-conf/server.conf replace its own.
 */
export async function install(server: Namespace, serverLines: readonly string[]): Promise<void> {
  await installProgram();
  await mkdir(hooks, { recursive: true });
  for (const hook of ['client-connect', 'client-disconnect']) {
    await cp(path.join(checkout, 'hooks', hook), path.join(hooks, hook));
  }
  for (const name of copiedFiles) await place(name);
  const config = await mergedConfig(serverLines);
  await write('/etc/openvpn/server/lab.conf', config);
  await write('/etc/openvpn/lab.conf', config);
  for (const unit of [
    'openvpn-server@.service',
    'openvpn@.service',
    'subflowd.service',
    'subflowd-helper.service',
  ]) {
    await write(labDropInOf(unit), labDropIn(server));
  }
  await server.run('sysctl', ['-p', '/etc/sysctl.d/subflowd.conf']);
  await execa('systemd-sysusers');
  await execa('systemd-tmpfiles', ['--create']);
  await execa('systemctl', ['daemon-reload']);
}

/** Copies a file of openvpn-conf/ to the path that its first line names. It is used from the next start of a unit. */
export async function place(name: string): Promise<void> {
  const text = await readFile(conf(name), 'utf8');
  await write(targetOf(name, text), text);
  await execa('systemctl', ['daemon-reload']);
}

/**
 * Runs test/lab/scenarios/attempts.py with exactly the rights of a unit in openvpn-conf/.
 * @param victim the PID of a process of root.
 * @param openvpn the PID of OpenVPN, which was started by root.
 * @returns for each attempt, `done` or the error that ended it.
 */
export async function attempt(
  name: string,
  victim: number,
  openvpn: number,
): Promise<Record<string, string>> {
  const script = '/usr/local/lib/subflowd-attempts.py';
  await cp(path.join(checkout, 'test/lab/scenarios/attempts.py'), script);
  const unit = await readFile(conf(name), 'utf8');
  const trial = `attempts-${name}`;
  const once = unit
    .split('\n')
    .filter(
      (line) => !/^(Type|NotifyAccess|WatchdogSec|ExecStart|ExecStartPre|ExecReload|Restart)=/.test(line),
    )
    .join('\n')
    .replace(
      '[Service]\n',
      `[Service]\nType=oneshot\nExecStart=/usr/bin/python3 ${script} ${victim} ${openvpn}\n`,
    );
  await write(`/etc/systemd/system/${trial}`, once);
  await execa('systemctl', ['daemon-reload']);
  await execa('systemctl', ['start', trial]);
  // the journal may have the lines a moment later
  return until(
    'the results of the attempts',
    async () => {
      const { stdout } = await execa('journalctl', ['--unit', trial, '--output=cat', '--no-pager']);
      const json = stdout.split('\n').find((line) => line.startsWith('{'));
      return json === undefined ? undefined : (JSON.parse(json) as Record<string, string>);
    },
    60_000,
  );
}

/** Gives the events directories the owners and modes of older versions: only root and their own users may use them. */
export async function restoreOlderOwners(): Promise<void> {
  await execa('chown', ['root:root', '/run/subflowd']);
  await execa('chmod', ['0755', '/run/subflowd']);
  await execa('chown', ['nobody:nogroup', '/run/subflowd/events/nobody']);
  await execa('chmod', ['0700', '/run/subflowd/events/nobody', '/run/subflowd/events/root']);
}

/** Runs the sidecar's units as they are shipped: outside the network namespace of the lab's server. */
export async function moveSidecarOutside(): Promise<void> {
  for (const unit of ['subflowd.service', 'subflowd-helper.service'])
    await write(labDropInOf(unit), labEnvironment().join('\n'));
  await execa('systemctl', ['daemon-reload']);
}

/**
 * Installs subflowd as `npm install -g` does, but mounts the checkout instead of copying it. A symbolic link would not work,
 * because ProtectHome= hides its target below /root.
 */
async function installProgram(): Promise<void> {
  const directory = path.join(globalModules, 'subflowd');
  await mkdir(directory, { recursive: true });
  await execa('mount', ['--bind', checkout, directory]);
  const main = path.join(directory, 'dist/bundle/main.js');
  await chmod(main, 0o755);
  await symlink(main, '/usr/local/bin/subflowd');
}

function targetOf(name: string, text: string): string {
  const target = /^[#;] (\/[^\s:]+)/.exec(text)?.[1];
  if (target === undefined)
    throw new Error(`the first line of openvpn-conf/${name} does not name the path that it is copied to`);
  return target;
}

async function mergedConfig(lines: readonly string[]): Promise<string> {
  const text = await readFile(conf('server.conf'), 'utf8');
  const replaced = new Set(text.split('\n').map(optionOf));
  return [...lines.filter((line) => !replaced.has(optionOf(line))), 'verb 3', text].join('\n');
}

function optionOf(line: string): string | undefined {
  return /^[a-z]\S*/.exec(line)?.[0];
}

function labDropInOf(unit: string): string {
  return `/etc/systemd/system/${unit}.d/lab.conf`;
}

function labDropIn(server: Namespace): string {
  return [...labEnvironment(), `NetworkNamespacePath=/run/netns/${server.name}`, ''].join('\n');
}

function labEnvironment(): string[] {
  const { OPENSSL_ia32cap: emulated } = process.env;
  return ['[Service]', ...(emulated === undefined ? [] : [`Environment=OPENSSL_ia32cap=${emulated}`]), ''];
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
}
