import { isIP } from 'node:net';
import { canonicalAddress, type Endpoint } from '../../model/endpoint.js';
import type { Protocol } from '../../model/session.js';
import { detachedCopy } from '../../util/lines.js';

/**
 * Longest record, in bytes. It is short, because a directory can be full of records. The longest common name of a certificate
 * has 64 characters.
 */
export const MAX_RECORD_BYTES = 8 * 1024;

const FIRST_FIELD = 'subflowd-event=1';
const LAST_FIELD = 'end';

/** One session, as `hooks/client-connect` recorded it, or as a `>CLIENT:` message reports it. */
export interface SessionRecord {
  /** The server's process. */
  readonly pid: number;
  readonly real: Endpoint;
  readonly commonName: string;
  /** Addresses inside the tunnel, canonical text. */
  readonly virtual: readonly string[];
  /** Unix time in seconds. */
  readonly since?: number;
  /** The server's tun device. */
  readonly device?: string;
  /** The server's config file, as on the command line of OpenVPN. */
  readonly config?: string;
  /** Absent if the process serves both: OpenVPN does not report to hooks which of them a client uses. */
  readonly protocol?: Protocol;
  /** The process listens at several addresses (OpenVPN 2.7), so two clients can have the same endpoint. */
  readonly isOneOfSeveral?: true;
}

/** `unfinished`: the hook has not written the end yet, or cannot (a full disk). `garbage`: why it is not a record. */
export type RecordResult =
  { readonly record: SessionRecord } | { readonly garbage: string } | { readonly unfinished: true };

/** The part of a record that its file's name repeats. */
export interface RecordName {
  readonly pid: number;
  readonly real: Endpoint;
}

/** A record's file name. Its last two parts distinguish clients with the same endpoint; older hooks do not write them. */
const NAME = /^(\d{1,10})-([0-9A-Za-z.:%]{2,64})-(\d{1,5})(?:-(?:\d{1,16})?-(?:[0-9A-Fa-f.:]{2,64})?)?$/;

/** Reads `PID-ADDRESS-PORT-TIME-VIRTUAL`; the last two parts are optional. Undefined if no hook gives such a name. */
export function parseRecordName(name: string): RecordName | undefined {
  const [, pidText, addressText, portText] = NAME.exec(name) ?? [];
  const pid = parsePid(pidText);
  const real = parseEndpoint(addressText, portText);
  return pid === undefined || real === undefined ? undefined : { pid, real };
}

/** Whether the plugin gives a file this name until the record in it is complete: a dot, then the record's name. */
export function isTemporaryName(name: string): boolean {
  return name.startsWith('.') && parseRecordName(name.slice(1)) !== undefined;
}

/**
 * Reads the bytes of a record: `NAME=VALUE` fields, each with a NUL at its end. It ignores unknown fields, because a newer
 * hook can write more. Never throws.
 */
export function parseRecord(bytes: Uint8Array): RecordResult {
  if (bytes.length > MAX_RECORD_BYTES) return { garbage: `it is longer than ${MAX_RECORD_BYTES} bytes` };
  const text = new TextDecoder().decode(bytes);
  const head = `${FIRST_FIELD}\0`;
  if (!text.startsWith(head.slice(0, text.length)))
    return { garbage: `it does not begin with ${FIRST_FIELD}` };
  if (!text.endsWith(`\0${LAST_FIELD}\0`)) return { unfinished: true };

  const fields = new Map<string, string>();
  for (const field of text.slice(head.length, -`${LAST_FIELD}\0`.length).split('\0')) {
    const equals = field.indexOf('=');
    if (equals > 0) fields.set(field.slice(0, equals), field.slice(equals + 1));
  }
  return readFields(fields);
}

/** Reads a session from the variables that OpenVPN gives to hooks and in `>CLIENT:ENV`. Never throws. */
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

/** `proto_1` to `proto_8`: what the process listens on. OpenVPN reports it for the process, not for the client. */
export const PROTOCOL_VARIABLES = Array.from({ length: 8 }, (_, index) => `proto_${index + 1}`);

/** The protocol of each listening socket: `udp`, `tcp-server`, before 2.7 for example `tcp4-server`. */
function readProtocols(fields: ReadonlyMap<string, string>): readonly (Protocol | undefined)[] {
  const texts =
    fields.get('protocols')?.split(' ') ?? PROTOCOL_VARIABLES.map((name) => fields.get(name) ?? '');
  return texts.filter((text) => text !== '').map((text) => parseProtocol(text));
}

/** The one protocol in the list; undefined if there are several. */
function onlyOf(protocols: readonly (Protocol | undefined)[]): Protocol | undefined {
  const found = new Set(protocols);
  const [only] = found;
  return found.size === 1 ? only : undefined;
}

/** Reads OpenVPN's name of a protocol (`proto_names` in socket_util.c); undefined if it is neither TCP nor UDP. */
export function parseProtocol(text: string): Protocol | undefined {
  return /^(tcp|udp)[46]?(?:-(?:server|client))?$/i.exec(text)?.[1]?.toLowerCase() as Protocol | undefined;
}

/**
 * Canonical text of an address; undefined if it is not an address. A zone is dropped, because the kernel stores a socket's
 * interface apart from its address.
 */
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
