import { detachedCopy } from '../../util/lines.js';
import { parseAddress, parseProtocol } from '../records/record.js';
import type { Protocol } from '../../model/session.js';

/** One row of `CLIENT_LIST`. */
export interface ClientRow {
  /** OpenVPN says `UNDEF` while the client has not shown a certificate, and for one that has no name. */
  readonly commonName: string;
  readonly address: string;
  /** OpenVPN before 2.7 leaves the port of an IPv6 client out (`mroute_addr_print_ex` in its mroute.c). */
  readonly port?: number;
  /** OpenVPN from 2.7 on says it. */
  readonly protocol?: Protocol;
  readonly virtual: readonly string[];
  readonly cid?: number;
  /** Unix time in seconds. */
  readonly since?: number;
  /** Nothing in the answer shows that OpenVPN has let it in; see {@link markUnproven}. */
  readonly isUnproven?: true;
}

export interface StatusReply {
  /** Clients that have a name. */
  readonly clients: readonly ClientRow[];
  /** Clients without one: still in their handshake, or never to have one. */
  readonly unnamed: readonly ClientRow[];
  /** True where data-channel offload carries the sessions: no TCP socket of the process's own does. */
  readonly dco: boolean;
  /** Rows that could not be read, each with the reason; the first few. */
  readonly problems: readonly string[];
  /** Clients beyond {@link MOST_SESSIONS}, which were not read; absent where there are none. */
  readonly omitted?: number;
}

/** Sessions of one server that are looked after, as many as its hooks may record: no server takes all there is. */
export const MOST_SESSIONS = 16_384;
/** Rows that cannot be read and are reported one by one. */
export const MOST_UNREADABLE = 16;

const UNNAMED = 'UNDEF';
/** Whom OpenVPN refuses it lists for some seconds, and a handshake for as long as `hand-window` says, 60 s. */
const REFUSED_S = 90;

/**
 * Reads the answer to `status 3`: tab-separated, and `HEADER` lines name the columns, which differ between
 * versions of OpenVPN (its doc/management-notes.txt, `multi_print_status` in its multi.c).
 * @param lines without line ends and without the closing `END`.
 */
export function parseStatus(lines: readonly string[]): StatusReply {
  const clients: ClientRow[] = [];
  const unnamed: ClientRow[] = [];
  const problems: string[] = [];
  let columns: readonly string[] | undefined;
  let dco = false;
  let beyond = 0;
  let time: number | undefined;
  for (const line of lines) {
    // half of it all, and seldom of use
    if (line.startsWith('ROUTING_TABLE\t')) continue;
    const [kind, ...cells] = detachedCopy(line).split('\t');
    if (kind === 'HEADER' && cells[0] === 'CLIENT_LIST') columns = cells.slice(1);
    else if (kind === 'TIME') time = parseWhole(cells[1] ?? '');
    else if (kind === 'GLOBAL_STATS' && cells[0] === 'dco_enabled') dco = cells[1] === '1';
    else if (kind === 'CLIENT_LIST') {
      const row = columns && readRow(columns, cells);
      const among = row?.commonName === UNNAMED ? unnamed : clients;
      if (row !== undefined && among.length < MOST_SESSIONS) among.push(row);
      else if (row !== undefined) beyond += 1;
      else if (problems.length < MOST_UNREADABLE)
        problems.push(`status: cannot read the line ${JSON.stringify(line.slice(0, 200))}`);
    }
  }
  const isTold = columns?.includes('Virtual Address') ?? false;
  return {
    clients: isTold ? markUnproven(clients, lines, time) : clients,
    unnamed,
    dco,
    problems,
    ...(beyond > 0 && { omitted: beyond }),
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
  const cid = parseWhole(cell('Client ID'));
  const since = parseWhole(cell('Connected Since (time_t)'));
  return {
    commonName,
    ...real,
    virtual,
    ...(cid !== undefined && { cid }),
    ...(since !== undefined && since > 0 && { since }),
  };
}

/**
 * Marks the rows of whom nothing shows that they were let in. OpenVPN fills in the virtual address when it has let a
 * client in and not before (`multi_client_connect_late_setup` in its multi.c, 2.4 to 2.7), and `>CLIENT:ESTABLISHED`
 * is said of those that it refuses too. A server that gives no addresses (a bridge) lists its clients' routes once they
 * have sent something; one that never did is believed when it has been there for longer than any handshake lasts.
 */
function markUnproven(
  clients: readonly ClientRow[],
  lines: readonly string[],
  time: number | undefined,
): readonly ClientRow[] {
  if (clients.every(({ virtual }) => virtual.length > 0)) return clients;
  const routed = realAddressesOfRoutes(lines);
  const givesAddresses = clients.some(({ virtual }) => virtual.length > 0);
  return clients.map((row) => {
    const isOld = !givesAddresses && time !== undefined && time - (row.since ?? time) > REFUSED_S;
    const isProven = row.virtual.length > 0 || routed.has(placeOf(row)) || isOld;
    return isProven ? row : { ...row, isUnproven: true };
  });
}

function realAddressesOfRoutes(lines: readonly string[]): Set<string> {
  const found = new Set<string>();
  let column = -1;
  for (const line of lines) {
    const [kind, ...cells] = line.split('\t');
    if (kind === 'HEADER' && cells[0] === 'ROUTING_TABLE') column = cells.indexOf('Real Address') - 1;
    else if (kind === 'ROUTING_TABLE') {
      const real = parseRealAddress(cells[column] ?? '');
      if (real) found.add(placeOf(real));
    }
  }
  return found;
}

function placeOf({ address, port, protocol }: Pick<ClientRow, 'address' | 'port' | 'protocol'>): string {
  return `${protocol ?? ''} ${address} ${port ?? ''}`;
}

/**
 * `192.0.2.1:1234`, `2001:db8::1` (2.6: no port), `[2001:db8::1]:1234`, from 2.7 on each with a protocol such as
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

function parseWhole(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
