import type { Backend } from '../backend/backend.js';
import type { Connection, PlainPeer, ServerSockets } from '../model/connection.js';
import { formatEndpoint, isSameEndpoint } from '../model/endpoint.js';
import { NoProcessError } from '../model/kernel-error.js';
import type { AnySession, Session, SessionWithoutPort } from '../model/session.js';
import type { ObservedSession, Snapshot } from '../steering/snapshot.js';
import { assignPorts } from './assign-ports.js';

/** A snapshot of all servers, and what could not be observed. */
export interface Observation {
  readonly snapshot: Snapshot;
  /** One sentence each. */
  readonly problems: readonly string[];
  /** By PID: what to report of a process that has ended, if it stays in the list of servers. */
  readonly ended: ReadonlyMap<number, string>;
  /** By PID of the server: tokens of the connections that belong to a session, or may belong to one. */
  readonly claimed: ReadonlyMap<number, ReadonlySet<number>>;
  /** Sessions that may be over TCP and have no socket, although their server was observed without problems. */
  readonly missing: readonly AnySession[];
}

/** The most problems of one process that are listed one by one. */
export const MAX_PROBLEMS = 100;

/**
 * Joins OpenVPN's sessions with the kernel's connections: by process and by the client's real address and port. A
 * session without a port is joined by its address, if only one connection comes from there. If one server cannot be
 * observed, the others still are.
 * @param serverPids processes that are observed even if they have no session: clients that are not authenticated may
 * be connected to them.
 */
export async function observe(
  backend: Backend,
  sessions: readonly Session[],
  withoutPort: readonly SessionWithoutPort[],
  serverPids: readonly number[] = [],
): Promise<Observation> {
  const pids = new Set([...sessions, ...withoutPort].map(({ pid }) => pid));
  for (const pid of serverPids) {
    if (pids.has(pid)) continue;
    // as long as the server has no session, an error concerns nobody
    await backend.connections(pid).catch(() => undefined);
  }
  const servers: ServerObservation[] = [];
  for (const pid of pids) servers.push(await observeServer(backend, pid, sessions, withoutPort));
  return {
    snapshot: { sessions: servers.flatMap(({ sessions }) => sessions) },
    problems: servers.flatMap(({ problems, hasEnded }) => (hasEnded ? [] : problems)),
    ended: new Map(
      servers.flatMap(({ pid, problems, hasEnded }) => (hasEnded ? [[pid, problems.join()]] : [])),
    ),
    claimed: new Map(servers.flatMap(({ pid, claimed }) => (claimed ? [[pid, claimed] as const] : []))),
    missing: servers.flatMap(({ missing }) => missing),
  };
}

/** The part of an {@link Observation} that is about one server. */
interface ServerObservation {
  readonly pid: number;
  readonly sessions: readonly ObservedSession[];
  readonly problems: readonly string[];
  /** Whether its process has ended. */
  readonly hasEnded?: boolean;
  /** Undefined if the server could not be observed. */
  readonly claimed?: ReadonlySet<number>;
  readonly missing: readonly AnySession[];
}

/** @param sessions, withoutPort those of all servers. */
async function observeServer(
  backend: Backend,
  pid: number,
  sessions: readonly Session[],
  withoutPort: readonly SessionWithoutPort[],
): Promise<ServerObservation> {
  const own = sessions.filter((session) => session.pid === pid);
  const ownWithoutPort = withoutPort.filter((session) => session.pid === pid);
  try {
    const sockets = await backend.connections(pid);
    const found = indexSockets(sockets);
    const assigned = assignPorts(ownWithoutPort, own, sockets);
    const problems = [
      ...sockets.problems.map((problem) => `process ${pid}: ${problem}`),
      ...assigned.problems,
    ];
    return {
      pid,
      sessions: assignConnections([...own, ...assigned.sessions], found),
      problems: limitProblems(problems, pid),
      claimed: claimedTokens(sockets, own, withoutPort),
      // a socket that could not be read may belong to any session
      missing: sockets.problems.length === 0 ? missingOf(own, ownWithoutPort, sockets, found) : [],
    };
  } catch (error) {
    // Sessions of a server that is gone or cannot be observed are shown as unknown.
    const { message, remedy } = error as Error & { remedy?: string };
    return {
      pid,
      sessions: assignConnections(own, new Map()),
      problems: [`process ${pid}: ${message}${remedy === undefined ? '' : `; to fix it: ${remedy}`}`],
      hasEnded: error instanceof NoProcessError,
      missing: [],
    };
  }
}

/**
 * The sockets from one address and port of a client. `several`: connections to several ports of the server, and nothing shows
 * which of them belongs to which session.
 */
type Match = Connection | PlainPeer | 'several';

/** The sockets by endpoint of the client. */
function indexSockets({ connections, plain }: ServerSockets): Map<string, Match> {
  const found = new Map<string, Match>(plain.map((peer) => [formatEndpoint(peer.remote), peer]));
  for (const connection of connections) {
    const key = formatEndpoint(connection.remote);
    const other = found.get(key);
    const isOtherPort =
      other !== undefined && isConnection(other) && !isSameEndpoint(other.local, connection.local);
    found.set(key, isOtherPort || other === 'several' ? 'several' : connection);
  }
  return found;
}

/** Gives each session its connection. No connection goes to two sessions. */
function assignConnections(
  sessions: readonly Session[],
  found: ReadonlyMap<string, Match>,
): ObservedSession[] {
  const disputes = disputesOf(sessions);
  return sessions.map((session) => {
    const endpoint = formatEndpoint(session.real);
    const unsteerable = unsteerableReason(session, disputes.get(endpoint));
    if (unsteerable) return { session, connection: undefined, unsteerable };
    const match = found.get(endpoint);
    if (match === 'several') return { session, connection: undefined, unsteerable: 'disputed' };
    if (match === undefined || isConnection(match)) return { session, connection: match };
    const { fellBackSince } = match;
    return { session, connection: 'plain', ...(fellBackSince !== undefined && { fellBackSince }) };
  });
}

function isConnection(match: Match): match is Connection {
  return typeof match === 'object' && 'subflows' in match;
}

/** Why a session cannot be steered. @param rivals the sessions with the same endpoint, if there are several. */
function unsteerableReason(
  session: Session,
  rivals: readonly Session[] | undefined,
): ObservedSession['unsteerable'] {
  if (session.protocol === 'udp') return 'udp';
  const overTcp = rivals?.filter(({ protocol }) => protocol === 'tcp') ?? [];
  const isOnlyOneOverTcp = overTcp.length === 1 && overTcp[0] === session;
  if (rivals && !isOnlyOneOverTcp) return 'disputed';
  return session.notLetIn ? 'not-let-in' : undefined;
}

/**
 * By endpoint: the sessions that share it, if more than one of them may be over TCP. A server on one port has at most one such
 * client.
 */
function disputesOf(sessions: readonly Session[]): Map<string, readonly Session[]> {
  const firsts = new Map<string, Session>();
  const disputes = new Map<string, readonly Session[]>();
  for (const session of sessions) {
    if (session.protocol === 'udp') continue;
    const endpoint = formatEndpoint(session.real);
    const first = firsts.get(endpoint);
    if (first === undefined) firsts.set(endpoint, session);
    else disputes.set(endpoint, [...(disputes.get(endpoint) ?? [first]), session]);
  }
  return disputes;
}

/** Whether a session is over TCP, or may be: its protocol can be unknown. */
function mayBeOverTcp({ protocol }: AnySession): boolean {
  return protocol !== 'udp';
}

/** The sessions without a socket of their own, or without any from their address if their port is unknown. */
function missingOf(
  sessions: readonly Session[],
  withoutPort: readonly SessionWithoutPort[],
  { connections, plain }: ServerSockets,
  found: ReadonlyMap<string, Match>,
): AnySession[] {
  const missing = sessions.filter((one) => mayBeOverTcp(one) && !found.has(formatEndpoint(one.real)));
  if (withoutPort.length === 0) return missing;
  const addresses = new Set([...connections, ...plain].map(({ remote }) => remote.address));
  return [...missing, ...withoutPort.filter((one) => mayBeOverTcp(one) && !addresses.has(one.address))];
}

/**
 * Tokens of the connections that may belong to a session. For a session without a port, this is each connection from
 * its address. A session that OpenVPN has not let in claims none.
 */
function claimedTokens(
  { connections }: ServerSockets,
  sessions: readonly Session[],
  withoutPort: readonly SessionWithoutPort[],
): Set<number> {
  const endpoints = new Set(
    sessions.filter((one) => mayBeOverTcp(one) && !one.notLetIn).map(({ real }) => formatEndpoint(real)),
  );
  const addresses = new Set(withoutPort.filter(mayBeOverTcp).map(({ address }) => address));
  return new Set(
    connections
      .filter(({ remote }) => addresses.has(remote.address) || endpoints.has(formatEndpoint(remote)))
      .map(({ token }) => token),
  );
}

/** The first {@link MAX_PROBLEMS} problems, and a note if there are more. */
function limitProblems(problems: readonly string[], pid: number): string[] {
  if (problems.length <= MAX_PROBLEMS) return [...problems];
  return [...problems.slice(0, MAX_PROBLEMS), `process ${pid}: there are more problems of this kind`];
}
