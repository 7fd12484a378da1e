import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DebianContainer } from '../lab/debian/container.js';
import { TestAuthority } from './test-authority.js';

const PKI = '/etc/openvpn/pki';
/** Configs and logs of the clients. It is no part of the host. */
const CLIENTS = '/packages';

/** Refuses one client, and gives the others a route by the file that is its last argument. */
const CHECK = `#!/bin/sh
[ "$common_name" != mallory ] || exit 1
echo 'push "route 203.0.113.0 255.255.255.0"' >"$1"
`;

/**
 * Decides about clients as openvpn-auth-oauth2 does: at the management interface it sends \`version\` and nothing else before it
 * waits for clients. It is written for OpenVPN, and knows nothing of subflowd.
 */
const DECIDE = `#!/bin/bash
while :; do
  if exec 3<>/dev/tcp/127.0.0.1/7605; then
    read -r greeting <&3
    case $greeting in '>INFO:OpenVPN Management Interface Version '*) echo version >&3 ;; esac
    while read -r line <&3; do
      line=\${line%$'\\r'}
      case $line in
        '>CLIENT:CONNECT,'*) ids=\${line#*,}; name= ;;
        '>CLIENT:ENV,common_name='*) name=\${line#*=} ;;
        '>CLIENT:ENV,END')
          [ -n "$ids" ] || continue
          if [ "$name" = eve ]; then echo "client-deny \${ids/,/ } \\"not today\\"" >&3
          else echo "client-auth-nt \${ids/,/ }" >&3; fi
          ids= ;;
      esac
    done
    exec 3>&-
  fi
  sleep 0.2
done
`;

/** Systemd of Debian 13 does not notice the end of a process under control groups of version 1. */
const STOP_SOON = '[Service]\\nTimeoutStopSec=3s\\n';

const ADMIN_UNIT = `[Service]
ExecStart=/usr/local/bin/decide
Restart=always
[Install]
WantedBy=multi-user.target
`;

/** Gives a host with Debian what an admin of OpenVPN has there before subflowd: two servers, and what decides about clients. */
export class VpnInContainer {
  private constructor(private readonly debian: DebianContainer) {}

  /**
   * Server office: UDP, a client-connect script, a monitor at 7505. Server company: TCP, a program that decides about clients
   * at 7605.
   */
  static async create(debian: DebianContainer): Promise<VpnInContainer> {
    mkdirSync(path.join(debian.root, 'etc/openvpn'), { recursive: true });
    const authority = await TestAuthority.create(path.join(debian.root, PKI));
    const vpn = new VpnInContainer(debian);
    const clients = ['mallory', 'alice', 'olga', 'bob', 'eve'];
    for (const name of ['server', ...clients]) await authority.issue(name, name);
    const common = [
      ...['dev tun', 'topology subnet', 'keepalive 10 60', 'user nobody', 'group nogroup', 'persist-key'],
      ...['persist-tun', 'verb 3', 'dh none', ...vpn.#credentials('server')],
    ];
    const office = ['proto udp', 'port 1194', 'server 10.8.0.0 255.255.255.0', 'script-security 2'];
    office.push(
      'client-connect /etc/openvpn/check.sh',
      'management 127.0.0.1 7505',
      'explicit-exit-notify 1',
    );
    const company = ['proto tcp-server', 'port 1195', 'server 10.20.0.0 255.255.255.0'];
    company.push('management 127.0.0.1 7605', 'management-client-auth', 'auth-user-pass-optional');
    vpn.write('/etc/openvpn/server/office.conf', `${[...office, ...common].join('\n')}\n`, 0o640);
    vpn.write('/etc/openvpn/server/company.conf', `${[...company, ...common].join('\n')}\n`, 0o640);
    vpn.write('/etc/openvpn/check.sh', CHECK, 0o755);
    vpn.write('/usr/local/bin/decide', DECIDE, 0o755);
    vpn.write('/etc/systemd/system/decide.service', ADMIN_UNIT);
    await debian.must(`for unit in openvpn-server@ subflowd decide; do
        mkdir -p /run/systemd/system/$unit.service.d
        printf '${STOP_SOON}' >/run/systemd/system/$unit.service.d/test.conf
      done
      systemctl daemon-reload
      systemctl enable --now decide openvpn-server@office openvpn-server@company
      ip netns add client && ip -n client link set lo up`);
    for (const network of [100, 200]) {
      await debian.must(`ip link add v${network} type veth peer name c${network} netns client
        ip addr add 192.168.${network}.1/24 dev v${network} && ip link set v${network} up
        ip -n client addr add 192.168.${network}.2/24 dev c${network} && ip -n client link set c${network} up`);
    }
    await debian.must(`ip -n client rule add from 192.168.200.2 lookup 200
      ip -n client route add default via 192.168.200.1 dev c200 table 200
      ip -n client mptcp limits set subflows 4 add_addr_accepted 4
      ip -n client mptcp endpoint add 192.168.200.2 dev c200 subflow`);
    return vpn;
  }

  /** Writes a file in the container, and its directories. */
  write(file: string, text: string, mode = 0o644): void {
    const target = path.join(this.debian.root, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
    chmodSync(target, mode);
  }

  /** Starts an OpenVPN client in the namespace that has two networks. */
  async start(name: string, proto: 'udp' | 'tcp', port: number): Promise<void> {
    const lines = [
      ...[
        'client',
        'dev tun',
        'nobind',
        'verb 3',
        `remote 192.168.100.1 ${port}`,
        `log ${CLIENTS}/${name}.log`,
      ],
      ...[`proto ${proto}4${proto === 'tcp' ? '-client' : ''}`, 'route-noexec'],
      ...['ignore-unknown-option disable-dco', 'disable-dco', 'connect-retry 1', ...this.#credentials(name)],
    ];
    this.write(`${CLIENTS}/${name}.conf`, `${lines.join('\n')}\n`);
    const wrapper = proto === 'tcp' ? 'mptcpize run ' : '';
    await this.debian.must(
      `systemd-run --quiet --unit=client-${name} --property=KillMode=mixed ip netns exec client ${wrapper}openvpn --config ${CLIENTS}/${name}.conf`,
    );
  }

  /** What a client has written to its log. */
  async log(name: string): Promise<string> {
    return (await this.debian.run(`cat ${CLIENTS}/${name}.log`)).output;
  }

  /** Ends everything that is not a part of the host. */
  async remove(): Promise<void> {
    await this.debian.run(`systemctl stop 'client-*'
      ip netns del client; ip link del v100; ip link del v200`);
  }

  /** What a monitor reads at a management address after a command. */
  async monitor(port: number, command: string): Promise<string> {
    const script = `exec 3<>/dev/tcp/127.0.0.1/${port} && echo ${command} >&3 && timeout 5 sed '/^END\\|^SUCCESS: pid/q' <&3; echo quit >&3`;
    return (await this.debian.run(`bash -c '${script.replaceAll("'", "'\\''")}'`)).output;
  }

  #credentials(name: string): string[] {
    return [`ca ${PKI}/ca.crt`, `cert ${PKI}/${name}.crt`, `key ${PKI}/${name}.key`];
  }
}
