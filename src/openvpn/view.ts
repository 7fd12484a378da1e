import { isDeepStrictEqual } from 'node:util';
import { formatEndpoint } from '../endpoint.js';
import type { KnownRecord } from './events.js';
import type { Session } from './session.js';
import type { ClientRow } from './status.js';

/** A session whose port OpenVPN has not told: only the kernel can say which connection it is. */
export interface UnplacedSession extends Omit<Session, 'real'> {
  /** Canonical text. */
  readonly address: string;
}

/** A row of `status`. */
export interface Row extends ClientRow {
  /** Once a hook or `>CLIENT:ESTABLISHED` has told what `status` does not. */
  readonly port?: number;
  /** {@link formatEndpoint} of both; absent without a port. */
  readonly endpoint?: string;
}

/** What hooks and management say of one server. */
export interface Known {
  /** NAME of its section. */
  readonly server: string;
  /** The process that management speaks for; undefined where it does not speak. */
  readonly pid: number | undefined;
  readonly rows: readonly Row[];
  /** Handshakes. */
  readonly unnamed: readonly ClientRow[];
  /** `performance.now()` at which the newest answered `status` was asked for. */
  readonly askedAt: number | undefined;
  /** Those that are the server's. */
  readonly records: readonly KnownRecord[];
}

/** The sessions of one server. */
export interface View {
  readonly sessions: readonly Session[];
  readonly unplaced: readonly UnplacedSession[];
  /** How many of them a hook has recorded. */
  readonly recorded: number;
}

/** A row with its port, as far as it is known. */
export function placed(row: ClientRow, port: number | undefined): Row {
  return port === undefined
    ? row
    : { ...row, port, endpoint: formatEndpoint({ address: row.address, port }) };
}

/** Tells whether a record is a session's, given what management says. */
export function judge({ askedAt, rows, unnamed }: Known): (record: KnownRecord) => boolean {
  if (askedAt === undefined) return () => true;
  const said = new Set(
    [...rows, ...unnamed.map((row) => placed(row, row.port))].map(({ endpoint }) => endpoint),
  );
  return ({ record, seenAt }) => seenAt >= askedAt || said.has(formatEndpoint(record.real));
}

/**
 * Joins what both say.
 * @param before the sessions of the last time: one that is the same stays the same object.
 */
export function join(known: Known, before: readonly Session[]): View {
  const { server, pid: own, rows, records } = known;
  const earlier = new Map(before.map((session) => [keyOf(session), session]));
  const same = (session: Session): Session => {
    const one = earlier.get(keyOf(session));
    return one && isSame(one, session) ? one : session;
  };
  const byEndpoint = new Map(
    records
      .filter(({ record }) => own === undefined || record.pid === own)
      .map((one) => [formatEndpoint(one.record.real), one]),
  );
  const sessions: Session[] = [];
  const unplaced: UnplacedSession[] = [];
  let recorded = 0;
  for (const row of own === undefined ? [] : rows) {
    const { commonName, address, port, endpoint = '', cid, virtual } = row;
    const common = { server, pid: own as number, commonName, ...(cid !== undefined && { cid }) };
    if (port === undefined) {
      unplaced.push({ ...common, address, virtual, ...(row.since !== undefined && { since: row.since }) });
      continue;
    }
    const record = byEndpoint.get(endpoint)?.record;
    byEndpoint.delete(endpoint);
    if (record) recorded += 1;
    const since = row.since ?? record?.since;
    sessions.push(
      same({
        ...common,
        real: { address, port },
        virtual: virtual.length > 0 ? virtual : (record?.virtual ?? []),
        ...(since !== undefined && { since }),
      }),
    );
  }
  const counts = judge(known);
  // where the process is not known, the records of several can have one endpoint: they are all sessions
  for (const one of own === undefined ? records : byEndpoint.values()) {
    if (own !== undefined && !counts(one)) continue;
    const { pid, commonName, real, virtual, since } = one.record;
    recorded += 1;
    sessions.push(same({ server, pid, commonName, real, virtual, ...(since !== undefined && { since }) }));
  }
  return { sessions, unplaced, recorded };
}

export function isSameView(one: View, other: View): boolean {
  return (
    one.sessions.length === other.sessions.length &&
    one.sessions.every((session, index) => session === other.sessions[index]) &&
    isDeepStrictEqual(one.unplaced, other.unplaced)
  );
}

/** Of two with the same key; `isDeepStrictEqual` takes most of the time that joining takes. */
function isSame(one: Session, other: Session): boolean {
  return (
    one.server === other.server &&
    one.commonName === other.commonName &&
    one.cid === other.cid &&
    one.since === other.since &&
    one.virtual.length === other.virtual.length &&
    one.virtual.every((address, index) => address === other.virtual[index])
  );
}

function keyOf({ pid, real }: Session): string {
  return `${pid} ${formatEndpoint(real)}`;
}
