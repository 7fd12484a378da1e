import { isIP } from 'node:net';
import { canonicalAddress, type Endpoint } from '../../model/endpoint.js';
import type { Protocol } from '../../model/session.js';
import { detachedCopy } from '../../util/lines.js';

/**
 * Longest record that is read, in bytes. The longest common name of a certificate has 64 characters; what a directory full
 * of records can hold is to stay small.
 */
export const MAX_RECORD_BYTES = 8 * 1024;

const FIRST_FIELD = 'subflowd-event=1';
const LAST_FIELD = 'end';

/** What `hooks/client-connect` wrote of one session. */
export interface SessionRecord {
  /** The server's process, as the hook says. */
  readonly pid: number;
  readonly real: Endpoint;
  readonly commonName: string;
  /** Addresses inside the tunnel, canonical text. */
  readonly virtual: readonly string[];
  /** Unix time in seconds. */
  readonly since?: number;
  /** The server's tun device. */
  readonly device?: string;
  /** The server's config file, as OpenVPN was given it. */
  readonly config?: string;
  /** Absent where the process serves both: hooks are not told which of them a client uses. */
  readonly protocol?: Protocol;
  /** The process listens at several places (OpenVPN 2.7): clients of two of them can have one address and port. */
  readonly isOneOfSeveral?: true;
}

/** `unfinished`: the hook has not written the end yet, or could not (a full disk). */
export type RecordResult =
  { readonly record: SessionRecord } | { readonly garbage: string } | { readonly unfinished: true };

/** The part of a record that its file's name repeats. */
export interface RecordName {
  readonly pid: number;
  readonly real: Endpoint;
}

/** The last two parts, which earlier hooks did not write, tell clients of one address and port apart. */
const NAME = /^(\d{1,10})-([0-9A-Za-z.:%]{2,64})-(\d{1,5})(?:-(?:\d{1,16})?-(?:[0-9A-Fa-f.:]{2,64})?)?$/;

/** Reads `PID-ADDRESS-PORT-TIME-VIRTUAL`, the last two optional; undefined if a hook cannot have made that name. */
export function parseRecordName(name: string): RecordName | undefined {
  const [, pidText, addressText, portText] = NAME.exec(name) ?? [];
  const pid = parsePid(pidText);
  const real = parseEndpoint(addressText, portText);
  return pid === undefined || real === undefined ? undefined : { pid, real };
}

/**
 * Reads the bytes of a record: `NAME=VALUE` fields, each ended by a NUL. Fields that are not known are
 * ignored, so that a newer hook can say more. Never throws.
 */
export function parseRecord(bytes: Uint8Array): RecordResult {
  if (bytes.length > MAX_RECORD_BYTES) return { garbage: `longer than ${MAX_RECORD_BYTES} bytes` };
  const text = new TextDecoder().decode(bytes);
  const head = `${FIRST_FIELD}\0`;
  if (!text.startsWith(head.slice(0, text.length))) return { garbage: `does not begin with ${FIRST_FIELD}` };
  if (!text.endsWith(`\0${LAST_FIELD}\0`)) return { unfinished: true };

  const fields = new Map<string, string>();
  for (const field of text.slice(head.length, -`${LAST_FIELD}\0`.length).split('\0')) {
    const equals = field.indexOf('=');
    if (equals > 0) fields.set(field.slice(0, equals), field.slice(equals + 1));
  }
  return readFields(fields);
}

/** The same from OpenVPN's own variables, as hooks and `>CLIENT:ENV` have them. */
export function readFields(fields: ReadonlyMap<string, string>): RecordResult {
  const pid = parsePid(fields.get('daemon_pid'));
  if (pid === undefined) return { garbage: 'daemon_pid is not a process ID' };
  const real = parseEndpoint(
    fields.get('trusted_ip') ?? fields.get('trusted_ip6'),
    fields.get('trusted_port'),
  );
  if (real === undefined) return { garbage: 'trusted_ip and trusted_port are not an address and a port' };
  const commonName = fields.get('common_name');
  if (commonName === undefined) return { garbage: 'common_name is missing' };

  const virtual: string[] = [];
  for (const name of ['ifconfig_pool_remote_ip', 'ifconfig_pool_remote_ip6']) {
    const value = fields.get(name) ?? '';
    if (value === '') continue;
    const address = parseAddress(value);
    if (address === undefined) return { garbage: `${name} is not an address` };
    virtual.push(address);
  }
  const since = parseCount(fields.get('time_unix'), Number.MAX_SAFE_INTEGER);
  const device = fields.get('dev');
  const config = fields.get('config');
  const protocols = readProtocols(fields);
  const protocol = onlyOf(protocols);
  return {
    record: {
      pid,
      real,
      commonName,
      virtual,
      ...(since !== undefined && since > 0 && { since }),
      ...(device !== undefined && device !== '' && { device }),
      ...(config !== undefined && config !== '' && { config }),
      ...(protocol !== undefined && { protocol }),
      ...(protocols.length > 1 && ({ isOneOfSeveral: true } as const)),
    },
  };
}

/** `proto_1` to `proto_8`, what the process listens on; OpenVPN says it of the process, not of the client. */
export const PROTOCOL_VARIABLES = Array.from({ length: 8 }, (_, index) => `proto_${index + 1}`);

/** Of each of the process's listeners: `udp`, `tcp-server`, before 2.7 `tcp4-server` and the like. */
function readProtocols(fields: ReadonlyMap<string, string>): readonly (Protocol | undefined)[] {
  const texts =
    fields.get('protocols')?.split(' ') ?? PROTOCOL_VARIABLES.map((name) => fields.get(name) ?? '');
  return texts.filter((text) => text !== '').map((text) => parseProtocol(text));
}

/** Undefined where they differ. */
function onlyOf(protocols: readonly (Protocol | undefined)[]): Protocol | undefined {
  const found = new Set(protocols);
  const [only] = found;
  return found.size === 1 ? only : undefined;
}

/** Reads OpenVPN's name of a protocol (`proto_names` in its socket_util.c). */
export function parseProtocol(text: string): Protocol | undefined {
  return /^(tcp|udp)[46]?(?:-(?:server|client))?$/i.exec(text)?.[1]?.toLowerCase() as Protocol | undefined;
}

/** Canonical text without a zone: the kernel's sockets know the interface by number, not in the address. */
export function parseAddress(text: string): string | undefined {
  const bare = text.replace(/%.*$/, '');
  return isIP(bare) === 0 ? undefined : detachedCopy(canonicalAddress(bare));
}

function parseEndpoint(addressText: string | undefined, portText: string | undefined): Endpoint | undefined {
  const address = parseAddress(addressText ?? '');
  const port = parseCount(portText, 65535);
  return address === undefined || port === undefined || port === 0 ? undefined : { address, port };
}

/** `pid_max` is at most 2^22 (proc(5)). */
function parsePid(text: string | undefined): number | undefined {
  const pid = parseCount(text, 2 ** 22);
  return pid === 0 ? undefined : pid;
}

function parseCount(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}
