import { detachedCopy } from '../../util/lines.js';
import { parseAddress, parseProtocol } from '../records/record.js';
import type { Protocol } from '../../model/session.js';

/** One row of `CLIENT_LIST` in the answer to `status 3`. */
export interface ClientRow {
  /** `UNDEF` until the client has shown a certificate, and for a client without a name. */
  readonly commonName: string;
  readonly address: string;
  /** Absent for a client over IPv6 before OpenVPN 2.7 (`mroute_addr_print_ex` in mroute.c). */
  readonly port?: number;
  /** Since OpenVPN 2.7. */
  readonly protocol?: Protocol;
  readonly virtual: readonly string[];
  readonly cid?: number;
  /** Unix time in seconds. */
  readonly since?: number;
  /** The answer does not show that OpenVPN has let the client in; see {@link markUnproven}. */
  readonly isUnproven?: true;
}

/** The answer to `status 3`. */
export interface StatusReply {
  /** Clients with a name. */
  readonly clients: readonly ClientRow[];
  /** Clients without a name: in their handshake, or of a server that uses no names. */
  readonly unnamed: readonly ClientRow[];
  /** Whether data-channel offload (DCO) carries the sessions, so the process has no TCP socket for them. */
  readonly usesDco: boolean;
  /** A problem for each unreadable row, at most {@link MAX_UNREADABLE}. */
  readonly problems: readonly string[];
  /** Number of clients that were not read, because there are more than {@link MAX_SESSIONS}; absent if there are none. */
  readonly omitted?: number;
}

/** Largest number of sessions of one server, which is also the largest number of records, so no server takes all memory. */
export const MAX_SESSIONS = 16_384;
/** Largest number of unreadable rows that are reported. */
export const MAX_UNREADABLE = 16;

const UNNAMED = 'UNDEF';
/** Longest time that OpenVPN lists a client before it lets it in or drops it, seconds: `hand-window` (60 s) and a reserve. */
const MAX_HANDSHAKE_S = 90;

/**
 * Reads the answer to `status 3`. Cells are separated by tabs, and `HEADER` lines name the columns, which differ between
 * versions of OpenVPN (doc/management-notes.txt, `multi_print_status` in multi.c).
 * @param lines without line ends and without the closing `END`.
 */
export function parseStatus(lines: readonly string[]): StatusReply {
  const clients: ClientRow[] = [];
  const unnamed: ClientRow[] = [];
  const problems: string[] = [];
  let columns: readonly string[] | undefined;
  let usesDco = false;
  let omitted = 0;
  let time: number | undefined;
  for (const line of lines) {
    // skipped early, because these are half of the answer and seldom needed; see readRouteAddresses
    if (line.startsWith('ROUTING_TABLE\t')) continue;
    const [kind, ...cells] = detachedCopy(line).split('\t');
    if (kind === 'HEADER' && cells[0] === 'CLIENT_LIST') columns = cells.slice(1);
    else if (kind === 'TIME') time = parseInteger(cells[1] ?? '');
    else if (kind === 'GLOBAL_STATS' && cells[0] === 'dco_enabled') usesDco = cells[1] === '1';
    else if (kind === 'CLIENT_LIST') {
      const row = columns && readRow(columns, cells);
      const among = row?.commonName === UNNAMED ? unnamed : clients;
      if (row !== undefined && among.length < MAX_SESSIONS) among.push(row);
      else if (row !== undefined) omitted += 1;
      else if (problems.length < MAX_UNREADABLE)
        problems.push(`status: cannot read the line ${JSON.stringify(line.slice(0, 200))}`);
    }
  }
  const hasVirtualAddresses = columns?.includes('Virtual Address') ?? false;
  return {
    clients: hasVirtualAddresses ? markUnproven(clients, lines, time) : clients,
    unnamed,
    usesDco,
    problems,
    ...(omitted > 0 && { omitted }),
  };
}

function readRow(columns: readonly string[], cells: readonly string[]): ClientRow | undefined {
  const cell = (name: string): string => cells[columns.indexOf(name)] ?? '';
  const real = parseRealAddress(cell('Real Address'));
  const commonName = cell('Common Name');
  if (real === undefined || commonName === '') return undefined;
  const virtual = [cell('Virtual Address'), cell('Virtual IPv6 Address')]
    .map(parseAddress)
    .filter((address) => address !== undefined);
  const cid = parseInteger(cell('Client ID'));
  const since = parseInteger(cell('Connected Since (time_t)'));
  return {
    commonName,
    ...real,
    virtual,
    ...(cid !== undefined && { cid }),
    ...(since !== undefined && since > 0 && { since }),
  };
}

/**
 * Marks the clients that OpenVPN may not have let in. `>CLIENT:ESTABLISHED` is not a proof: OpenVPN sends it for refused clients,
 * too. These are proofs:
 * - a virtual address: OpenVPN sets it when it lets a client in (`multi_client_connect_late_setup` in multi.c, 2.4 to 2.7);
 * - a route, which a server without virtual addresses (a bridge) lists when the client has sent something;
 * - on such a server, that the client has been listed for longer than any handshake lasts.
 */
function markUnproven(
  clients: readonly ClientRow[],
  lines: readonly string[],
  time: number | undefined,
): readonly ClientRow[] {
  if (clients.every(({ virtual }) => virtual.length > 0)) return clients;
  const routed = readRouteAddresses(lines);
  const givesAddresses = clients.some(({ virtual }) => virtual.length > 0);
  return clients.map((row) => {
    const isOld = !givesAddresses && time !== undefined && time - (row.since ?? time) > MAX_HANDSHAKE_S;
    const isProven = row.virtual.length > 0 || routed.has(clientKeyOf(row)) || isOld;
    return isProven ? row : { ...row, isUnproven: true };
  });
}

function readRouteAddresses(lines: readonly string[]): Set<string> {
  const found = new Set<string>();
  let column = -1;
  for (const line of lines) {
    const [kind, ...cells] = line.split('\t');
    if (kind === 'HEADER' && cells[0] === 'ROUTING_TABLE') column = cells.indexOf('Real Address') - 1;
    else if (kind === 'ROUTING_TABLE') {
      const real = parseRealAddress(cells[column] ?? '');
      if (real) found.add(clientKeyOf(real));
    }
  }
  return found;
}

function clientKeyOf({ address, port, protocol }: Pick<ClientRow, 'address' | 'port' | 'protocol'>): string {
  return `${protocol ?? ''} ${address} ${port ?? ''}`;
}

/**
 * `192.0.2.1:1234`, `2001:db8::1` (2.6: no port), `[2001:db8::1]:1234`, since 2.7 each with a protocol such as
 * `tcp4-server:` or `udp6:` before it. Undefined if it is none of them.
 */
export function parseRealAddress(
  text: string,
): { address: string; port?: number; protocol?: Protocol } | undefined {
  const [, prefix = ''] = /^((?:tcp|udp)[46]?(?:-(?:server|client))?):/i.exec(text) ?? [];
  const bare = prefix === '' ? text : text.slice(prefix.length + 1);
  const withPort = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(bare);
  const address = parseAddress(
    withPort ? (withPort[1] ?? withPort[2] ?? '') : bare.replace(/^\[([^\]]+)\]$/, '$1'),
  );
  if (address === undefined) return undefined;
  const protocol = parseProtocol(prefix);
  const known = { address, ...(protocol && { protocol }) };
  if (!withPort) return known;
  const port = Number(withPort[3]);
  return port >= 1 && port <= 65535 ? { ...known, port } : undefined;
}

function parseInteger(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
