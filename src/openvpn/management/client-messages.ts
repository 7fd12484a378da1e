import { detachedCopy } from '../../util/lines.js';
import { PROTOCOL_VARIABLES } from '../records/record.js';

/** A `>CLIENT:` message that a client was let in or disconnected, with those of its variables that subflowd needs. */
export interface ClientMessage {
  readonly type: 'ESTABLISHED' | 'DISCONNECT';
  /** OpenVPN's client ID. */
  readonly cid: number;
  /** By name, e.g. `common_name`. */
  readonly fields: ReadonlyMap<string, string>;
}

const NEEDED_VARIABLES = new Set([
  'common_name',
  'daemon_pid',
  'trusted_ip',
  'trusted_ip6',
  'trusted_port',
  'ifconfig_pool_remote_ip',
  'ifconfig_pool_remote_ip6',
  'time_unix',
  ...PROTOCOL_VARIABLES,
]);

/** The type of a `>CLIENT:` message, e.g. `CONNECT`, and its client ID; '' and 0 if it has none. */
export function typeOfClientMessage([head = '']: readonly string[]): {
  readonly type: string;
  readonly cid: number;
} {
  const [, type = '', cid = ''] = /^>CLIENT:([A-Z_]+),(\d{1,15})/.exec(head) ?? [];
  return { type, cid: Number(cid) };
}

/**
 * Reads a `>CLIENT:` message.
 * @param lines the message and its variables, a line each.
 * @returns undefined for the other types, e.g. `CONNECT` and `ADDRESS`.
 */
export function readClientMessage(lines: readonly string[]): ClientMessage | undefined {
  const { type, cid } = typeOfClientMessage(lines);
  if (type !== 'ESTABLISHED' && type !== 'DISCONNECT') return undefined;
  const fields = new Map<string, string>();
  for (const variable of lines.slice(1)) {
    const [, name = '', value = ''] = /^>CLIENT:ENV,([^=]*)=(.*)$/s.exec(variable) ?? [];
    if (NEEDED_VARIABLES.has(name)) fields.set(name, detachedCopy(value));
  }
  return { type, cid, fields };
}
