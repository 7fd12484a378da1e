import { isDeepStrictEqual } from 'node:util';
import { formatEndpoint } from '../model/endpoint.js';
import type { ValidRecord } from './records/record-table.js';
import {
  canBeRecordOf,
  floatKeys,
  RecordsByEndpoint,
  splitSuperseded,
  type ClientTraits,
} from './pairing.js';
import { clientKey, type Session, type SessionWithoutPort } from '../model/session.js';
import type { ClientRow } from './management/status.js';

/** A row of `status`. */
export interface RosterRow extends ClientRow {
  /** Once a hook or `>CLIENT:ESTABLISHED` has told what `status` does not. */
  readonly port?: number;
  /** {@link formatEndpoint} of both; absent without a port. */
  readonly endpoint?: string;
  /** What `>CLIENT:ESTABLISHED` said of it. */
  readonly notice?: Authentication;
}

/** That OpenVPN has authenticated a client, and which addresses inside the tunnel it is to have if it is let in. */
export interface Authentication {
  /** `performance.now()`. */
  readonly at: number;
  readonly virtual: readonly string[];
}

/** What hooks and management say of one server. */
export interface ServerSources {
  /** NAME of its section. */
  readonly server: string;
  /** The process that management speaks for; undefined where it does not speak. */
  readonly pid: number | undefined;
  readonly rows: readonly RosterRow[];
  /** Handshakes. */
  readonly unnamed: readonly ClientRow[];
  /** `performance.now()` at which the newest answered `status` was asked for. */
  readonly askedAt: number | undefined;
  /** Those that are the server's. */
  readonly records: readonly ValidRecord[];
}

/** The sessions of one server. */
export interface MergedSessions {
  readonly sessions: readonly Session[];
  readonly sessionsWithoutPort: readonly SessionWithoutPort[];
  /** How many of them a hook has recorded. */
  readonly recorded: number;
  /** How many no hook has recorded, though OpenVPN let them in. */
  readonly unrecorded: number;
  /** Records of clients that others came after. */
  readonly superseded: readonly ValidRecord[];
}

export const NO_SESSIONS: MergedSessions = {
  sessions: [],
  sessionsWithoutPort: [],
  recorded: 0,
  unrecorded: 0,
  superseded: [],
};

/** A row with its port, as far as it is known. */
export function withPort(row: ClientRow, port: number | undefined): RosterRow {
  return port === undefined
    ? row
    : { ...row, port, endpoint: formatEndpoint({ address: row.address, port }) };
}

/** Tells whether a record is a session's, given what management says. */
export function makeRecordCheck({
  askedAt,
  rows,
  unnamed,
  records,
}: ServerSources): (record: ValidRecord) => boolean {
  if (askedAt === undefined) return () => true;
  const said = new Map<string, ClientTraits[]>();
  const mayFloat = records.some(({ record }) => record.protocol !== 'tcp');
  const kept = new Set(mayFloat ? rows.flatMap(floatKeys) : []);
  for (const row of [...rows, ...unnamed.map((row) => withPort(row, row.port))]) {
    if (row.endpoint === undefined) continue;
    const others = said.get(row.endpoint);
    if (others) others.push(row);
    else said.set(row.endpoint, [row]);
  }
  return ({ record, seenAt }) =>
    seenAt >= askedAt ||
    (said.get(formatEndpoint(record.real))?.some((row) => canBeRecordOf(record, row)) ?? false) ||
    floatKeys(record).some((one) => kept.has(one));
}

/**
 * Joins what both say.
 * @param before the sessions of the last time: one that is the same stays the same object.
 */
export function mergeSessions(known: ServerSources, before: readonly Session[]): MergedSessions {
  const { server, pid: own, rows, askedAt = Infinity } = known;
  const earlier = new Map(before.map((session) => [keyOf(session), session]));
  const same = (session: Session): Session => {
    const one = earlier.get(keyOf(session));
    return one && isSame(one, session) ? one : session;
  };
  // where the process is not known, the records of several can have one endpoint: they are all sessions
  if (own === undefined) {
    const { current, superseded } = splitSuperseded(known.records);
    const sessions = current.map((one) => same(sessionOf(one, server)));
    return { ...NO_SESSIONS, sessions, recorded: sessions.length, superseded };
  }
  const records = new RecordsByEndpoint(known.records.filter(({ record }) => record.pid === own));
  const sessions: Session[] = [];
  const unplaced: SessionWithoutPort[] = [];
  let recorded = 0;
  let unrecorded = 0;
  for (const row of rows) {
    const { commonName, address, port, cid } = row;
    const found = records.take(row);
    if (found) recorded += 1;
    const record = found?.record;
    const since = row.since ?? record?.since;
    const protocol = row.protocol ?? record?.protocol;
    const isIn = isLetIn(row, found, askedAt);
    if (isIn && !found) unrecorded += 1;
    const virtual = isIn && row.virtual.length === 0 ? (record?.virtual ?? row.notice?.virtual) : row.virtual;
    const common = {
      server,
      pid: own,
      commonName,
      virtual: virtual ?? [],
      ...(cid !== undefined && { cid }),
      ...(since !== undefined && { since }),
      ...(protocol !== undefined && { protocol }),
      ...(!isIn && ({ notLetIn: true } as const)),
    };
    if (port === undefined) unplaced.push({ ...common, address });
    else sessions.push(same({ ...common, real: { address, port } }));
  }
  const counts = makeRecordCheck(known);
  for (const one of records.remaining()) {
    if (!counts(one)) continue;
    recorded += 1;
    sessions.push(same(sessionOf(one, server)));
  }
  return { sessions, sessionsWithoutPort: unplaced, recorded, unrecorded, superseded: [] };
}

/**
 * Whether OpenVPN has let a client in. A hook or a notice says so before `status` can; where a `status` that was asked
 * for later shows none of the addresses that they spoke of, OpenVPN refused it after all, or has not decided yet.
 */
function isLetIn(
  { isUnproven: unproven, notice }: RosterRow,
  record: ValidRecord | undefined,
  askedAt: number,
): boolean {
  if (unproven === undefined) return true;
  const words = [notice, record && { at: record.seenAt, virtual: record.record.virtual }];
  return words.some((word) => word && (word.at >= askedAt || word.virtual.length === 0));
}

function sessionOf({ record }: ValidRecord, server: string): Session {
  const { pid, commonName, real, virtual, since, protocol } = record;
  return {
    server,
    pid,
    commonName,
    real,
    virtual,
    ...(since !== undefined && { since }),
    ...(protocol !== undefined && { protocol }),
  };
}

export function hasSameSessions(one: MergedSessions, other: MergedSessions): boolean {
  return (
    one.sessions.length === other.sessions.length &&
    one.sessions.every((session, index) => session === other.sessions[index]) &&
    isDeepStrictEqual(one.sessionsWithoutPort, other.sessionsWithoutPort)
  );
}

/** Of two with the same key; `isDeepStrictEqual` takes most of the time that joining takes. */
function isSame(one: Session, other: Session): boolean {
  return (
    one.server === other.server &&
    one.commonName === other.commonName &&
    one.cid === other.cid &&
    one.since === other.since &&
    one.protocol === other.protocol &&
    one.notLetIn === other.notLetIn &&
    one.virtual.length === other.virtual.length &&
    one.virtual.every((address, index) => address === other.virtual[index])
  );
}

function keyOf(session: Session): string {
  return `${session.pid} ${clientKey(session)} ${session.since ?? ''}`;
}
