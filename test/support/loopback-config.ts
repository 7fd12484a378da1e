import { withoutOffload } from '../lab/openvpn-program.js';
import { openvpnBefore } from './openvpn-version.js';

const FIRST_PORT = 1194;

/** A server of a `LoopbackVpn`. */
export interface ServerSettings {
  readonly ipv6?: boolean;
  /** Path of the management socket. */
  readonly management?: string;
  /** Number of the server in its namespace, for its port and its subnet; default 0. */
  readonly number?: number;
  /** The events directory. Without it, OpenVPN has no hooks. */
  readonly events?: string;
  /** The user that OpenVPN changes to after its start. */
  readonly user?: string;
  /** A program, with its arguments, that starts OpenVPN. */
  readonly wrapper?: readonly string[];
  /** OpenVPN asks the management interface for its certificate and the signatures of its key. */
  readonly externalKey?: boolean;
  /** Additional lines of the config. */
  readonly extra?: readonly string[];
}

/** A client of a `LoopbackVpn`. */
export interface ClientSettings {
  readonly ipv6?: boolean;
  readonly udp?: boolean;
  /** Whether the tunnel carries Ethernet frames. */
  readonly tap?: boolean;
  /** Number of the server; default 0. */
  readonly number?: number;
  /** Path of a config file, for options that are not set here. */
  readonly config?: string;
  /** The port that the client connects from; by default, the kernel chooses it. */
  readonly localPort?: number;
  /** A program, with its arguments, that starts OpenVPN. */
  readonly wrapper?: readonly string[];
}

/** What the config of a server names. */
interface ServerFiles {
  /** Lines with the server's certificate and key. */
  readonly credentials: readonly string[];
  /** The line with the certificate authority. */
  readonly caLine: string;
  /** The directory of the hooks. */
  readonly hooks: string;
  /** The file with the password of the management interface. */
  readonly passwordFile: string;
}

/** The lines of a server's config. */
export function serverConfig(
  settings: ServerSettings,
  { credentials, caLine, hooks, passwordFile }: ServerFiles,
): string[] {
  const number = settings.number ?? 0;
  const subnet = `10.${8 + number}.0`;
  return [
    'mode server',
    'tls-server',
    settings.ipv6 === true ? 'proto tcp6-server' : 'proto tcp-server',
    settings.ipv6 === true ? 'local ::1' : 'local 127.0.0.1',
    `port ${FIRST_PORT + number}`,
    'dev tun',
    'topology subnet',
    `ifconfig ${subnet}.1 255.255.255.0`,
    `ifconfig-pool ${subnet}.2 ${subnet}.100 255.255.255.0`,
    'push "topology subnet"',
    ...withoutOffload,
    'dh none',
    'duplicate-cn',
    'keepalive 1 30',
    ...(settings.externalKey === true ? externalKeyLines(caLine) : credentials),
    'script-security 2',
    ...(settings.events === undefined
      ? []
      : [
          `setenv SUBFLOWD_EVENTS ${settings.events}`,
          `client-connect ${hooks}/client-connect`,
          `client-disconnect ${hooks}/client-disconnect`,
        ]),
    ...(settings.management !== undefined ? [`management ${settings.management} unix ${passwordFile}`] : []),
    ...(settings.user === undefined
      ? []
      : [`user ${settings.user}`, 'group nogroup', 'persist-key', 'persist-tun']),
    ...(settings.extra ?? []),
  ];
}

function externalKeyLines(caLine: string): string[] {
  return [
    caLine,
    'management-external-cert a-token',
    // 2.5 needs these parameters, 2.4 refuses them
    openvpnBefore(2, 6) && !openvpnBefore(2, 5)
      ? 'management-external-key nopadding pkcs1'
      : 'management-external-key',
    // since TLS 1.3 every RSA signature is PSS, which 2.4 does not support
    'tls-version-max 1.2',
  ];
}

/** The arguments of a client. @param credentials lines of a config with its certificate and key. */
export function clientArguments(settings: ClientSettings, credentials: readonly string[]): string[] {
  return [
    ...(settings.config === undefined ? [] : ['--config', settings.config]),
    ...['--client', '--dev', settings.tap === true ? 'tap' : 'tun', '--verb', '3', '--connect-retry', '1'],
    ...['--port', String(FIRST_PORT + (settings.number ?? 0))],
    ...(settings.localPort === undefined ? ['--nobind'] : ['--lport', String(settings.localPort)]),
    ...(settings.ipv6 === true
      ? ['--proto', 'tcp6-client', '--remote', '::1']
      : ['--proto', settings.udp === true ? 'udp4' : 'tcp4-client']),
    ...(settings.ipv6 === true ? [] : ['--remote', '127.0.0.1']),
    // a device without an address is not up, and a bridge learns of a client by its first frame
    ...(settings.tap === true ? [] : ['--ifconfig-noexec']),
    '--route-noexec',
    ...asArguments(withoutOffload),
    ...asArguments(credentials),
  ];
}

/** Converts config lines without quotes to command-line arguments. */
function asArguments(lines: readonly string[]): string[] {
  return lines.flatMap((line) => `--${line}`.split(' '));
}
