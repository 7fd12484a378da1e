import type { Authority } from './pki.js';
import type { Network } from './network.js';
import { withoutOffload } from './openvpn-program.js';
import { openvpnPort, quote } from './openvpn.js';

export interface ServerOptions {
  /** Address family of the outer connection. */
  readonly family?: 4 | 6;
  /** Path of the management socket. */
  readonly management?: string;
  /** The first line of this file is the management password. */
  readonly passwordFile?: string;
  /** Scripts for client-connect and client-disconnect, and the directory of their records. */
  readonly hooks?: { readonly connect: string; readonly disconnect: string; readonly events: string };
  /** Network of the tunnels, a /24; `10.8.0.0` by default. */
  readonly tunnels?: string;
  /** Whether the server runs as nobody after its start, as in OpenVPN's sample configs. */
  readonly dropPrivileges?: boolean;
  /** More config lines. */
  readonly lines?: readonly string[];
}

/** The name of the TUN device. Each namespace has one. */
export const tunDevice = 'tun0';

/** The lines that servers and clients share. AES-128 costs an emulated processor less than other ciphers. */
const common = [
  `dev ${tunDevice}`,
  ...withoutOffload,
  'persist-key',
  'persist-tun',
  // From OpenVPN 2.5 on this is an alias of data-ciphers.
  'ncp-ciphers AES-128-GCM',
  'ecdh-curve prime256v1',
];

/** The config of a server for every client of the network. It pushes a route to the web server. */
export async function serverConfig(
  network: Network,
  authority: Authority,
  {
    family = 4,
    management,
    passwordFile,
    hooks,
    tunnels = '10.8.0.0',
    dropPrivileges = false,
    lines = [],
  }: ServerOptions = {},
): Promise<string[]> {
  const identity = await authority.issue('server', 'server');
  const [webNetwork, webMask] = network.webNetwork;
  return [
    ...common,
    `proto ${family === 6 ? 'tcp6-server' : 'tcp4-server'}`,
    `port ${openvpnPort}`,
    'topology subnet',
    `server ${tunnels} 255.255.255.0`,
    `push "route ${webNetwork} ${webMask}"`,
    'keepalive 10 60',
    `ca ${quote(authority.certificate)}`,
    `cert ${quote(identity.certificate)}`,
    `key ${quote(identity.key)}`,
    'dh none',
    'script-security 2',
    ...(management === undefined
      ? []
      : [
          `management ${quote(management)} unix${passwordFile === undefined ? '' : ` ${quote(passwordFile)}`}`,
        ]),
    ...(hooks === undefined
      ? []
      : [
          `setenv SUBFLOWD_EVENTS ${quote(hooks.events)}`,
          `client-connect ${quote(hooks.connect)}`,
          `client-disconnect ${quote(hooks.disconnect)}`,
        ]),
    ...(dropPrivileges ? ['user nobody', 'group nogroup'] : []),
    ...lines,
  ];
}

/** The config of a client with this common name. */
export async function clientConfig(
  network: Network,
  authority: Authority,
  commonName: string,
  options: { family?: 4 | 6; lines?: readonly string[]; remote?: string } = {},
): Promise<string[]> {
  const identity = await authority.issue(commonName, 'client');
  const { v4, v6 } = network.serverAddress;
  const { family = 4, lines = [], remote = family === 6 ? v6 : v4 } = options;
  return [
    ...common,
    'client',
    `remote ${remote} ${openvpnPort} tcp${family}-client`,
    'nobind',
    'remote-cert-tls server',
    'connect-retry 1 5',
    `ca ${quote(authority.certificate)}`,
    `cert ${quote(identity.certificate)}`,
    `key ${quote(identity.key)}`,
    ...lines,
  ];
}
