import { lastOf, linesOf, type ConfigLine } from '../openvpn/config-file.js';

/** Which protocols a server serves. OpenVPN 2.7 can serve both in one process, with several `local` lines. */
export interface Protocols {
  readonly udp: boolean;
  readonly tcp: boolean;
}

/** Reads the protocols of a config. Without `proto`, OpenVPN serves UDP. */
export function protocolsOf(lines: readonly ConfigLine[]): Protocols {
  const proto = lastOf(lines, 'proto')?.words?.[1] ?? 'udp';
  const locals = linesOf(lines, 'local').map(({ words }) => words?.[3] ?? proto);
  const all = locals.length === 0 ? [proto] : locals;
  return {
    udp: all.some((each) => each.startsWith('udp')),
    tcp: all.some((each) => each.startsWith('tcp')),
  };
}

/** Whether a config is that of a server for many clients. */
export function isServerConfig(lines: readonly ConfigLine[]): boolean {
  const mode = lastOf(lines, 'mode')?.words?.[1];
  return (
    mode === 'server' || ['server', 'server-bridge', 'server-ipv6'].some((option) => lastOf(lines, option))
  );
}

/** The port that a config names; 1194 if it names none. */
export function portOf(lines: readonly ConfigLine[]): number {
  const line = lines.findLast(({ words }) => words?.[0] === 'port' || words?.[0] === 'lport');
  return Number(line?.words?.[1] ?? 1194);
}

/** The networks of a server's tunnels, as CIDR text. */
export function tunnelNetworks(
  lines: readonly ConfigLine[],
  lengthOf: (netmask: string) => number | undefined,
) {
  const [, address, netmask = ''] = lastOf(lines, 'server')?.words ?? [];
  const length = lengthOf(netmask);
  return {
    ipv4: address === undefined || length === undefined ? undefined : `${address}/${length}`,
    ipv6: lastOf(lines, 'server-ipv6')?.words?.[1],
  };
}
