import { readConfigLines } from '../../../src/openvpn/config-file.js';
import type { HostFacts, ServerFacts } from '../../../src/setup/facts.js';

/** The server.conf that comes with OpenVPN, without its comments. */
export const SAMPLE = `port 1194
proto udp
dev tun
ca ca.crt
cert server.crt
key server.key
dh dh2048.pem
topology subnet
server 10.8.0.0 255.255.255.0
ifconfig-pool-persist /var/log/openvpn/ipp.txt
keepalive 10 120
tls-auth ta.key 0
persist-key
persist-tun
status /var/log/openvpn/openvpn-status.log
verb 3
explicit-exit-notify 1
`;

/** A server as it is found. @param files the texts of included files. */
export function serverFacts(
  text: string,
  found: Partial<ServerFacts> = {},
  files: Readonly<Record<string, string>> = {},
): ServerFacts {
  const name = found.name ?? 'office';
  const directory = '/etc/openvpn/server';
  const config = `${directory}/${name}.conf`;
  return {
    name,
    config,
    directory,
    lines: readConfigLines(config, directory, (file) => (file === config ? text : files[file])),
    unit: `openvpn-server@${name}`,
    isActive: true,
    isEnabled: true,
    managementClients: [],
    clientAddresses: [],
    staticClients: [],
    ...found,
  };
}

/** A host with these servers, where subflowd is installed and not set up. */
export function hostFacts(servers: readonly ServerFacts[], found: Partial<HostFacts> = {}): HostFacts {
  return {
    servers,
    daemon: { isActive: false, isEnabled: false },
    hooks: '/usr/lib/subflowd/hooks',
    sysctlText: '-net.mptcp.enabled = 1\n-net.mptcp.pm_type = 1\n',
    copies: [],
    tcpPorts: new Set([22]),
    networks: ['192.0.2.0/24'],
    firewall: [],
    mptcp: { enabled: '1', pm_type: '0' },
    isAlwaysMptcp: false,
    hasMptcpize: true,
    ...found,
  };
}
