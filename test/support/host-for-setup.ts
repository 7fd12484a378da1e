import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { MAIN, type Ended } from './command-line.js';
import { TestAuthority } from './test-authority.js';
import { until } from './until.js';

/** Directories that a host of its own has: what is written there, this machine does not see. */
const OWN = ['/etc', '/run', '/var/lib', '/var/log', '/usr/local/lib', '/usr/local/bin'];

/**
 * Stands for systemctl: starts what the ExecStart line of a unit says, in its directory, and waits until OpenVPN serves. It keeps
 * the PID of each unit, and whether it is enabled.
 */
const SYSTEMCTL = `#!/bin/bash
state=/run/units
mkdir -p $state
verb=$1; shift
now=no
if [ "$1" = --now ]; then now=yes; shift; fi
pid() { cat "$state/$1.pid" 2>/dev/null; }
# a process that has ended stays a zombie, because nobody collects it
active() { local p; p=$(pid "$1"); [ -n "$p" ] && grep -q '^State:.[^ZX]' /proc/$p/status 2>/dev/null; }
show() {
  local template="\${1%@*}@.service"
  for file in /etc/systemd/system/$template /lib/systemd/system/$template \\
    /etc/systemd/system/$template.d/*.conf /etc/systemd/system/$1.service.d/*.conf; do
    [ -f "$file" ] && cat "$file"
  done
}
start() {
  active "$1" && return
  case $1 in *.socket) return 0 ;; esac
  if [ "$1" = subflowd ]; then
    start subflowd-helper
    command="${process.execPath} ${MAIN} run --log-format text"
  elif [ "$1" = subflowd-helper ]; then
    command="${process.execPath} ${MAIN} helper --log-format text"
  else
    local instance=\${1#*@}
    command=$(show "$1" | sed -n 's/^ExecStart=\\(..*\\)/\\1/p' | tail -n 1)
    command=\${command//%i/$instance}
    command=\${command//%t/\\/run}
  fi
  cd /etc/openvpn/server
  mkdir -p /run/openvpn-server
  setsid $command >$state/$1.log 2>&1 </dev/null &
  echo $! >$state/$1.pid
  for _ in $(seq 300); do
    grep -q -e 'Initialization Sequence Completed' -e 'serves ' -e 'waits for the daemon' $state/$1.log && return
    active "$1" || { cat $state/$1.log >&2; return 1; }
    [ "$1" = subflowd ] && [ -S /run/subflowd/console.sock ] && return
    sleep 0.1
  done
  return 1
}
stop() {
  local p; p=$(pid "$1")
  [ -n "$p" ] && kill "$p" 2>/dev/null
  while active "$1"; do sleep 0.05; done
  rm -f "$state/$1.pid"
}
status=0
for unit in "$@"; do
  case $verb in
    is-active) active "$unit" || status=3 ;;
    is-enabled) [ -e "$state/$unit.enabled" ] || status=1 ;;
    cat) show "$unit" ;;
    start) start "$unit" || status=1 ;;
    stop) stop "$unit" ;;
    reload) kill -HUP "$(pid "$unit")" ;;
    enable) touch "$state/$unit.enabled"; [ $now = no ] || start "$unit" || status=1 ;;
    disable) rm -f "$state/$unit.enabled"; [ $now = no ] || stop "$unit" ;;
  esac
done
exit $status
`;

/** A process in a namespace of a host. */
export interface RunningClient {
  log(): string;
  isRunning(): boolean;
  end(): void;
}

/**
 * A host with namespaces of its own for files, processes and networks, and a client with two networks. `subflowd setup` and
 * OpenVPN run there as on a real host; only systemctl is replaced.
 */
export class HostForSetup {
  readonly #clients: ChildProcess[] = [];
  #count = 0;

  private constructor(
    readonly directory: string,
    private readonly authority: TestAuthority,
    private readonly names: { readonly host: string; readonly client: string },
    private readonly holder: ChildProcess,
    private readonly pid: number,
  ) {}

  /** Makes both, and the certificates of the server. */
  static async create(): Promise<HostForSetup> {
    const directory = mkdtempSync('/var/tmp/subflowd-setup-');
    chmodSync(directory, 0o755);
    const authority = await TestAuthority.create(join(directory, 'pki'));
    await authority.issue('server', 'server');
    const id = randomBytes(3).toString('hex');
    const names = { host: `setup-${id}-s`, client: `setup-${id}-c` };
    for (const name of [names.host, names.client]) {
      await execa('ip', ['netns', 'add', name]);
      await execa('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    }
    await connectNetworks(names);
    writeFileSync(join(directory, 'systemctl'), SYSTEMCTL, { mode: 0o755 });
    const script = [
      'set -e',
      'mount -t tmpfs tmpfs /mnt',
      ...OWN.flatMap((path, index) => [
        `mkdir /mnt/u${index} /mnt/w${index}`,
        `mount -t overlay overlay -o lowerdir=${path},upperdir=/mnt/u${index},workdir=/mnt/w${index} ${path}`,
      ]),
      'rm -rf /etc/openvpn /etc/subflowd /var/lib/subflowd /run/subflowd /run/openvpn-server /usr/local/lib/subflowd',
      'rm -f /etc/sysusers.d/subflowd.conf /etc/tmpfiles.d/subflowd.conf /etc/sysctl.d/subflowd.conf',
      'mkdir -p /etc/openvpn/server',
      `cp ${directory}/systemctl /usr/local/bin/systemctl`,
      `touch ${directory}/ready`,
      'exec sleep infinity',
    ].join('\n');
    const unshare = [
      '--mount',
      '--pid',
      '--fork',
      '--mount-proc',
      '--kill-child',
      '--propagation',
      'private',
    ];
    const holder = spawn('ip', ['netns', 'exec', names.host, 'unshare', ...unshare, 'sh', '-c', script], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const pid = await until('the host is ready', () => {
      if (!existsSync(join(directory, 'ready'))) return undefined;
      const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim();
      return children === '' ? undefined : Number(children.split(' ')[0]);
    });
    return new HostForSetup(directory, authority, names, holder, pid);
  }

  /** Ends everything. */
  async destroy(): Promise<void> {
    for (const client of this.#clients) client.kill('SIGKILL');
    this.holder.kill('SIGKILL');
    for (const name of Object.values(this.names))
      await execa('ip', ['netns', 'del', name], { reject: false });
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Runs a command on the host. */
  async run(command: string, ...args: readonly string[]): Promise<Ended> {
    const enter = ['--target', String(this.pid), '--mount', '--net', '--pid'];
    const result = await execa('nsenter', [...enter, command, ...args], { reject: false, timeout: 120_000 });
    return { code: result.exitCode, out: result.stdout, err: result.stderr };
  }

  /** Runs `subflowd` on the host. */
  async subflowd(...args: readonly string[]): Promise<Ended> {
    return this.run(process.execPath, MAIN, ...args);
  }

  /** Writes a file on the host. */
  async write(path: string, text: string, mode = '600'): Promise<void> {
    const file = join(this.directory, `file${this.#count++}`);
    writeFileSync(file, text);
    const { code, err } = await this.run('install', '-D', '-m', mode, file, path);
    if (code !== 0) throw new Error(err);
  }

  /** The lines of a server's config that name its certificates. */
  get credentials(): readonly string[] {
    return [...this.authority.credentialLines('server'), 'dh none'];
  }

  /** Every file that an admin has, with its hash, mode and owner. */
  async files(): Promise<readonly string[]> {
    const places = '/etc /usr/local/lib';
    const { out } = await this.run(
      'sh',
      '-c',
      `find ${places} -type f -printf '%m %u %g ' -exec sha256sum {} \\; 2>&1; find ${places} -type d 2>&1`,
    );
    // commands that add and remove a user leave copies of the files before that
    return out
      .split('\n')
      .filter((line) => !/\/etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-$/.test(line))
      .sort();
  }

  /** Starts an OpenVPN client. */
  async client(commonName: string, proto: 'udp' | 'tcp', port: number): Promise<RunningClient> {
    const name = `client${this.#count++}`;
    await this.authority.issue(name, commonName);
    const log = join(this.directory, `${name}.log`);
    const config = join(this.directory, `${name}.conf`);
    writeFileSync(
      config,
      [
        ...['client', 'dev tun', 'nobind', 'verb 3', `remote 192.168.100.1 ${port}`, `log ${log}`],
        ...[`proto ${proto}4${proto === 'tcp' ? '-client' : ''}`, 'route-noexec'],
        ...['ignore-unknown-option disable-dco', 'disable-dco', 'connect-retry 1'],
        ...this.authority.credentialLines(name),
      ].join('\n'),
    );
    const program = [...(proto === 'tcp' ? ['mptcpize', 'run'] : []), 'openvpn', '--config', config];
    const child = spawn('ip', ['netns', 'exec', this.names.client, ...program], { stdio: 'ignore' });
    this.#clients.push(child);
    return {
      log: () => {
        try {
          return readFileSync(log, 'utf8');
        } catch {
          return '';
        }
      },
      isRunning: () => child.exitCode === null,
      end: () => child.kill('SIGTERM'),
    };
  }
}

/** Two networks between the host and its client; the client may join a connection from the second. */
async function connectNetworks({
  host,
  client,
}: {
  readonly host: string;
  readonly client: string;
}): Promise<void> {
  const commands = [
    ...[100, 200].flatMap((network) => [
      `link add v${network} netns ${host} type veth peer name v${network} netns ${client}`,
      `-n ${host} addr add 192.168.${network}.1/24 dev v${network}`,
      `-n ${client} addr add 192.168.${network}.2/24 dev v${network}`,
      `-n ${host} link set v${network} up`,
      `-n ${client} link set v${network} up`,
    ]),
    `-n ${client} rule add from 192.168.200.2 lookup 200`,
    `-n ${client} route add default via 192.168.200.1 dev v200 table 200`,
    `-n ${client} mptcp limits set subflows 4 add_addr_accepted 4`,
    `-n ${client} mptcp endpoint add 192.168.200.2 dev v200 subflow`,
  ];
  for (const command of commands) await execa('ip', command.split(' '));
}
