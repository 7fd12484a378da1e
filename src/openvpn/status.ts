import { ownCopy } from '../lines.js';
import { parseAddress } from './record.js';

/** One row of `CLIENT_LIST`. */
export interface ClientRow {
  /** OpenVPN says `UNDEF` while the client has not shown a certificate, and for one that has no name. */
  readonly commonName: string;
  readonly address: string;
  /** OpenVPN before 2.7 leaves the port of an IPv6 client out (`mroute_addr_print_ex` in its mroute.c). */
  readonly port?: number;
  readonly virtual: readonly string[];
  readonly cid?: number;
  /** Unix time in seconds. */
  readonly since?: number;
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
  readonly beyond?: number;
}

/** Sessions of one server that are looked after, as many as its hooks may record: no server takes all there is. */
export const MOST_SESSIONS = 16_384;
const MOST_PROBLEMS = 20;

const UNNAMED = 'UNDEF';

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
  for (const line of lines) {
    // half of it all, and of no use here
    if (line.startsWith('ROUTING_TABLE\t')) continue;
    const [kind, ...cells] = ownCopy(line).split('\t');
    if (kind === 'HEADER' && cells[0] === 'CLIENT_LIST') columns = cells.slice(1);
    else if (kind === 'GLOBAL_STATS' && cells[0] === 'dco_enabled') dco = cells[1] === '1';
    else if (kind === 'CLIENT_LIST') {
      const row = columns && readRow(columns, cells);
      const among = row?.commonName === UNNAMED ? unnamed : clients;
      if (row !== undefined && among.length < MOST_SESSIONS) among.push(row);
      else if (row !== undefined) beyond += 1;
      else if (problems.length < MOST_PROBLEMS)
        problems.push(`status: cannot read the line ${JSON.stringify(line.slice(0, 200))}`);
    }
  }
  return { clients, unnamed, dco, problems, ...(beyond > 0 && { beyond }) };
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
 * `192.0.2.1:1234`, `2001:db8::1` (2.6: no port), `[2001:db8::1]:1234`, each with a protocol such as
 * `tcp4-server:` before it in newer versions. Undefined if it is none of them.
 */
export function parseRealAddress(text: string): { address: string; port?: number } | undefined {
  const bare = text.replace(/^(?:tcp|udp)[46]?(?:-(?:server|client))?:/i, '');
  const withPort = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(bare);
  const address = parseAddress(
    withPort ? (withPort[1] ?? withPort[2] ?? '') : bare.replace(/^\[([^\]]+)\]$/, '$1'),
  );
  if (address === undefined) return undefined;
  if (!withPort) return { address };
  const port = Number(withPort[3]);
  return port >= 1 && port <= 65535 ? { address, port } : undefined;
}

function parseWhole(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
