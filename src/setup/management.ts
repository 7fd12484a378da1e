import { posix } from 'node:path';
import { isLoopback } from '../config/management.js';
import { lastOf, quoteConfigWord, type ConfigLine } from '../openvpn/config-file.js';
import type { Obstacle, ServerFacts, WantedFile } from './facts.js';
import { SETUP_FILES, SETUP_UNITS } from './installed-files.js';

/** The first port that a process without privileges may use (`net.ipv4.ip_unprivileged_port_start`). */
const FIRST_USER_PORT = 1024;

/** A `management` line of OpenVPN. */
export interface ManagementLine {
  readonly line: ConfigLine;
  /** As subflowd.ini writes it: `/PATH` or `HOST PORT`. */
  readonly address: string;
  readonly port?: number;
  /** Absolute path. */
  readonly passwordFile?: string;
}

/** Reads the management line that counts; undefined if the config has none. */
export function managementOf({
  lines,
  directory,
}: Pick<ServerFacts, 'lines' | 'directory'>): ManagementLine | undefined {
  const line = lastOf(lines, 'management');
  const [, host, port, password] = line?.words ?? [];
  if (line === undefined || host === undefined || port === undefined) return undefined;
  const address = port === 'unix' ? posix.resolve(directory, host) : `${host} ${port}`;
  return {
    line,
    address,
    ...(port !== 'unix' && { port: Number(port) }),
    ...(password !== undefined && {
      passwordFile: password === 'stdin' ? password : posix.resolve(directory, password),
    }),
  };
}

/** Why subflowd cannot share a management interface; undefined if it can. */
export function managementObstacle(server: ServerFacts): Obstacle | undefined {
  const management = managementOf(server);
  if (management === undefined) return undefined;
  const { line, address, passwordFile, port } = management;
  const where = `${line.file}:${line.line}`;
  if (lastOf(server.lines, 'management-client') !== undefined) {
    return {
      what: `${where}: management-client makes OpenVPN connect to a management program, which subflowd cannot share`,
      remedy: 'let OpenVPN listen instead, or add the lines of openvpn-conf/server.conf by hand',
    };
  }
  if (passwordFile === 'stdin') {
    return {
      what: `${where}: the password of management comes from standard input`,
      remedy: 'write it to a file that only root can read, and name that file',
    };
  }
  if (port !== undefined && port < FIRST_USER_PORT) {
    return {
      what: `${where}: port ${port} is below ${FIRST_USER_PORT}, where only root may answer, and subflowd is not root`,
      remedy: `choose a port of ${FIRST_USER_PORT} or more in this line, and in the programs that connect there`,
    };
  }
  const host = address.split(' ', 1)[0] ?? '';
  if (port !== undefined && passwordFile === undefined && !isLoopback(host)) {
    return {
      what: `${where}: everybody who reaches ${address} may use management, without a password`,
      remedy: 'name a password file in this line, or use 127.0.0.1',
    };
  }
  return undefined;
}

/** Where OpenVPN's management interface moves, so that subflowd can share it. @param server its name. */
export function managementSocket(server: string): string {
  return `${SETUP_FILES.management}/${server}.sock`;
}

/**
 * Where the daemon reads the password of a server. The file of the admin is root's, so systemd gives the daemon a copy
 * (systemd.exec(5), LoadCredential=).
 */
export function credentialFile(server: string): string {
  return `/run/credentials/${SETUP_UNITS[0]}.service/${credential(server)}`;
}

/** The drop-in that lets systemd make this copy. */
export function credentialDropIn(server: string, passwordFile: string): WantedFile {
  return {
    path: `${SETUP_FILES.units}/${SETUP_UNITS[0]}.service.d/${credential(server)}.conf`,
    text: [
      '# made by subflowd setup: systemd gives the daemon a copy of the password of a management interface',
      '[Service]',
      `LoadCredential=${credential(server)}:${passwordFile}`,
      '',
    ].join('\n'),
    mode: 0o644,
    why: `subflowd gets a copy of ${passwordFile} from systemd, because it may not read files of root`,
  };
}

function credential(server: string): string {
  return `management-password-${server}`;
}

/** The line of OpenVPN's config. */
export function managementText(socket: string, passwordFile: string | undefined): string {
  const password = passwordFile === undefined ? '' : ` ${quoteConfigWord(passwordFile)}`;
  return `management ${quoteConfigWord(socket)} unix${password}`;
}
