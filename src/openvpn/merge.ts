import { isDeepStrictEqual } from 'node:util';
import { formatEndpoint } from '../model/endpoint.js';
import { clientKey, type Session, type SessionWithoutPort } from '../model/session.js';
import type { ClientRow } from './management/status.js';
import {
  canBeRecordOf,
  floatKeys,
  RecordsByEndpoint,
  splitSuperseded,
  type ClientTraits,
} from './pairing.js';
import type { ValidRecord } from './records/record-table.js';
import { withPort, type RosterRow } from './roster-row.js';

/** What hooks and management report about one server. */
export interface ServerSources {
  /** NAME of its section. */
  readonly server: string;
  /** The process that management reports; undefined if it reports none. */
  readonly pid: number | undefined;
  /** Clients that management lists. */
  readonly rows: readonly RosterRow[];
  /** Clients that management lists without a name: most are in their handshake. */
  readonly unnamed: readonly ClientRow[];
  /** `performance.now()` when the last answered `status` was requested; undefined if there is none. */
  readonly askedAt: number | undefined;
  /** The hook records of this server. */
  readonly records: readonly ValidRecord[];
}

/** The sessions of one server. */
export interface MergedSessions {
  readonly sessions: readonly Session[];
  readonly sessionsWithoutPort: readonly SessionWithoutPort[];
  /** Number of sessions that a hook has recorded. */
  readonly recorded: number;
  /** Number of sessions that OpenVPN let in and no hook has recorded. */
  readonly unrecorded: number;
  /** Records of clients that have disconnected, because a later client has the same endpoint. */
  readonly superseded: readonly ValidRecord[];
}

/** The result for a server of which nothing is known. */
export const NO_SESSIONS: MergedSessions = {
  sessions: [],
  sessionsWithoutPort: [],
  recorded: 0,
  unrecorded: 0,
  superseded: [],
};

/**
 * Makes the function that decides whether a record is of a connected client. It is, if it was read after the last `status`
 * was requested, or if management lists its client.
 */
export function makeRecordCheck({
  askedAt,
  rows,
  unnamed,
  records,
}: ServerSources): (record: ValidRecord) => boolean {
  if (askedAt === undefined) return () => true;
  const listed = new Map<string, ClientTraits[]>();
  const mayFloat = records.some(({ record }) => record.protocol !== 'tcp');
  const floating = new Set(mayFloat ? rows.flatMap(floatKeys) : []);
  for (const row of [...rows, ...unnamed.map((row) => withPort(row, row.port))]) {
    if (row.endpoint === undefined) continue;
    const others = listed.get(row.endpoint);
    if (others) others.push(row);
    else listed.set(row.endpoint, [row]);
  }
  return ({ record, seenAt }) =>
    seenAt >= askedAt ||
    (listed.get(formatEndpoint(record.real))?.some((row) => canBeRecordOf(record, row)) ?? false) ||
    floatKeys(record).some((key) => floating.has(key));
}

/**
 * Merges the clients that management lists with the hook records into sessions.
 * @param before the sessions of the last merge. A session that has not changed stays the same object.
 */
export function mergeSessions(sources: ServerSources, before: readonly Session[]): MergedSessions {
  const { server, pid, rows, askedAt = Infinity } = sources;
  const earlier = new Map(before.map((session) => [keyOf(session), session]));
  const keepIfUnchanged = (session: Session): Session => {
    const one = earlier.get(keyOf(session));
    return one && isSame(one, session) ? one : session;
  };
  // if the process is not known, records of several processes can have one endpoint, and all are sessions
  if (pid === undefined) {
    const { current, superseded } = splitSuperseded(sources.records);
    const sessions = current.map((one) => keepIfUnchanged(sessionOf(one, server)));
    return { ...NO_SESSIONS, sessions, recorded: sessions.length, superseded };
  }
  const records = new RecordsByEndpoint(sources.records.filter(({ record }) => record.pid === pid));
  const sessions: Session[] = [];
  const sessionsWithoutPort: SessionWithoutPort[] = [];
  let recorded = 0;
  let unrecorded = 0;
  for (const row of rows) {
    const record = records.take(row);
    const wasLetIn = isLetIn(row, record, askedAt);
    if (record) recorded += 1;
    else if (wasLetIn) unrecorded += 1;
    const traits = { server, pid, ...traitsOf(row, record, wasLetIn) };
    const { address, port } = row;
    if (port === undefined) sessionsWithoutPort.push({ ...traits, address });
    else sessions.push(keepIfUnchanged({ ...traits, real: { address, port } }));
  }
  const isConnected = makeRecordCheck(sources);
  for (const one of records.remaining()) {
    if (!isConnected(one)) continue;
    recorded += 1;
    sessions.push(keepIfUnchanged(sessionOf(one, server)));
  }
  return { sessions, sessionsWithoutPort, recorded, unrecorded, superseded: [] };
}

/** What a row and its record report about a client, except its server and its address. */
function traitsOf(
  row: RosterRow,
  found: ValidRecord | undefined,
  wasLetIn: boolean,
): Omit<SessionWithoutPort, 'server' | 'pid' | 'address'> {
  const { commonName, cid, authentication } = row;
  const record = found?.record;
  const since = row.since ?? record?.since;
  const protocol = row.protocol ?? record?.protocol;
  const reported = record?.virtual ?? authentication?.virtual ?? [];
  return {
    commonName,
    virtual: wasLetIn && row.virtual.length === 0 ? reported : row.virtual,
    ...(cid !== undefined && { cid }),
    ...(since !== undefined && { since }),
    ...(protocol !== undefined && { protocol }),
    ...(!wasLetIn && ({ notLetIn: true } as const)),
  };
}

/**
 * Whether OpenVPN has let a client in. A hook or a real-time message reports it before `status` can. If a `status` that was
 * requested later shows none of the reported addresses, OpenVPN refused the client after that, or has not decided yet.
 */
function isLetIn(
  { isUnproven, authentication }: RosterRow,
  record: ValidRecord | undefined,
  askedAt: number,
): boolean {
  if (isUnproven !== true) return true;
  const reports = [authentication, record && { at: record.seenAt, virtual: record.record.virtual }];
  return reports.some((report) => report && (report.at >= askedAt || report.virtual.length === 0));
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

/** Whether the sessions are the same objects in the same order. */
export function hasSameSessions(one: MergedSessions, other: MergedSessions): boolean {
  return (
    one.sessions.length === other.sessions.length &&
    one.sessions.every((session, index) => session === other.sessions[index]) &&
    isDeepStrictEqual(one.sessionsWithoutPort, other.sessionsWithoutPort)
  );
}

/** Compares two sessions with the same key. `isDeepStrictEqual` would take most of the time of a merge. */
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
