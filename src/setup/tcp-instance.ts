import { posix } from 'node:path';
import { lastOf, quoteConfigWord, type ConfigLine } from '../openvpn/config-file.js';
import type { ServerFacts } from './facts.js';

/** Begins the config of a TCP instance; the config that it was made from follows. */
export const MADE_FROM = '# Made by subflowd setup from ';

/** What the TCP instance of a UDP server has of its own. */
export interface OwnValues {
  readonly port: number;
  /** CIDR text, without and with the netmask. */
  readonly ipv4: { readonly address: string; readonly netmask: string };
  readonly ipv6?: string;
  readonly management: string;
  readonly hooks: ReadonlyMap<string, string>;
  /** Lines at the end. */
  readonly added: readonly string[];
}

/** Makes the new line of an option from its words; undefined: the TCP instance does not have the option. */
type Transform = (words: readonly string[], own: OwnValues) => string | undefined;

const drop: Transform = () => undefined;
const ownFile: Transform = ([option = '', file = '', ...rest]) =>
  [option, quoteConfigWord(besides(file)), ...rest].join(' ');
const hook: Transform = ([option = '', ...rest], { hooks }) =>
  hooks.get(option) ?? [option, ...rest.map(quoteConfigWord)].join(' ');

/**
 * What differs between a UDP server and its TCP instance. OpenVPN refuses over TCP: explicit-exit-notify, fragment,
 * multihome, mtu-test and connect-freq (`options_postprocess_verify_ce` in options.c). Without an entry, a line is copied.
 */
const TRANSFORMS: ReadonlyMap<string, Transform> = new Map<string, Transform>([
  ['proto', ([, proto = 'udp']) => `proto ${proto.replace(/^udp/, 'tcp')}-server`],
  ['port', (_words, { port }) => `port ${port}`],
  ['lport', (_words, { port }) => `port ${port}`],
  // the form of 2.7 has a port and a protocol
  ['local', ([, host = '']) => `local ${host}`],
  ['server', ([, , , ...flags], { ipv4 }) => ['server', ipv4.address, ipv4.netmask, ...flags].join(' ')],
  ['server-ipv6', (_words, { ipv6 }) => (ipv6 === undefined ? undefined : `server-ipv6 ${ipv6}`)],
  // a numbered device belongs to one process
  [
    'dev',
    ([, device = '']) => `dev ${/^(?:tun|tap)\d+$/.test(device) ? device.slice(0, 3) : besides(device)}`,
  ],
  ['ifconfig-pool-persist', ownFile],
  ['status', ownFile],
  ['log', ownFile],
  ['log-append', ownFile],
  ['writepid', ownFile],
  ['replay-persist', ownFile],
  ['management', drop],
  ['management-client', drop],
  ['explicit-exit-notify', drop],
  ['fragment', drop],
  ['multihome', drop],
  ['fast-io', drop],
  ['mtu-test', drop],
  ['connect-freq', drop],
  ['connect-freq-initial', drop],
  ['client-connect', hook],
  ['client-disconnect', hook],
]);

/** The files that the TCP instance of a server writes, absolute. */
export function ownFiles({ lines, directory }: Pick<ServerFacts, 'lines' | 'directory'>): string[] {
  return lines.flatMap(({ words }) => {
    const [option = '', file] = words ?? [];
    if (file === undefined || TRANSFORMS.get(option) !== ownFile) return [];
    return [posix.resolve(directory, besides(file))];
  });
}

/** The name of a file of the TCP instance: `ipp.txt` becomes `ipp-tcp.txt`. */
function besides(file: string): string {
  if (['tun', 'tap'].includes(file)) return file;
  const { dir, name, ext } = posix.parse(file);
  return posix.join(dir, `${name}-tcp${ext}`);
}

/**
 * Makes the config of the TCP instance that runs beside a UDP server: the same PKI, scripts and settings, but a port, a
 * network, a management socket and files of its own. Included files become a part of it.
 */
export function tcpInstanceConfig(source: string, lines: readonly ConfigLine[], own: OwnValues): string {
  const hookLines = new Set(
    ['client-connect', 'client-disconnect'].map((option) => lastOf(lines, option)).filter(Boolean),
  );
  const text = lines.flatMap((line): string[] => {
    const { words, isInclude } = line;
    const content = line.text.replace(/\r$/, '');
    if (isInclude) return [`# ${content.trim()}`];
    const [option = ''] = words ?? [];
    if (words === undefined || isOwnPush(words)) return words === undefined ? [content] : [];
    const transform = TRANSFORMS.get(option);
    // of two lines OpenVPN runs only the last, and the TCP instance has only that
    if (transform === hook && !hookLines.has(line)) return [];
    const changed = transform === undefined ? content : transform(words, own);
    return changed === undefined ? [] : [changed];
  });
  const missing = [
    ...(lastOf(lines, 'proto') === undefined ? ['proto tcp-server'] : []),
    ...(lastOf(lines, 'port') === undefined && lastOf(lines, 'lport') === undefined
      ? [`port ${own.port}`]
      : []),
    own.management,
    ...own.added,
  ];
  return [
    `${MADE_FROM}${source}: the same server over TCP.`,
    '# Later changes of that file do not come here. To remove it: subflowd setup --undo',
    ...text,
    '',
    '# of this instance',
    ...missing,
    '',
  ].join('\n');
}

/** Clients over TCP would ignore it with a warning. */
function isOwnPush([option, pushed = '']: readonly string[]): boolean {
  return option === 'push' && pushed.startsWith('explicit-exit-notify');
}
