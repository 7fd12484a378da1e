import type { Backend } from '../backend/backend.js';
import type { Connection, ServerSockets } from '../model/connection.js';
import { formatEndpoint, type Endpoint } from '../model/endpoint.js';
import type { AnySession, Session, SessionWithoutPort } from '../model/session.js';
import type { ObservedSession, Snapshot } from '../steering/snapshot.js';
import { place } from './place.js';

/** A snapshot and what could not be seen on the way to it. */
export interface Observation {
  readonly snapshot: Snapshot;
  readonly problems: readonly string[];
  /** Tokens of the connections that are sessions', or may be, by the server's process. */
  readonly claimed: ReadonlyMap<number, ReadonlySet<number>>;
  /** Sessions that may be over TCP and of whom the kernel shows no socket, where a look at its process showed everything. */
  readonly missing: readonly AnySession[];
}

/** Of one process, that are told one by one. */
export const MOST_PROBLEMS = 100;

/**
 * Joins OpenVPN's sessions with the kernel's connections: by process and the client's real address and port. A session
 * whose port is not known is placed by its address, where that leaves no doubt. However many sessions a server has, and
 * whatever fails for it, the others are observed.
 * @param idle processes of servers to look at even where nobody has a session: strangers may be connected.
 */
export async function observe(
  backend: Backend,
  sessions: readonly Session[],
  unplaced: readonly SessionWithoutPort[],
  idle: readonly number[] = [],
): Promise<Observation> {
  const observed: ObservedSession[][] = [];
  const problems: string[][] = [];
  const missing: (readonly AnySession[])[] = [];
  const claimed = new Map<number, ReadonlySet<number>>();
  const pids = new Set([...sessions, ...unplaced].map((session) => session.pid));
  for (const pid of idle) {
    if (pids.has(pid)) continue;
    // nobody misses it: where it cannot be looked at, that is said as soon as it has a session
    await backend.connections(pid).catch(() => undefined);
  }
  for (const pid of pids) {
    const own = sessions.filter((session) => session.pid === pid);
    try {
      const sockets = await backend.connections(pid);
      const found = indexSockets(sockets);
      const others = unplaced.filter((session) => session.pid === pid);
      claimed.set(pid, claims(sockets, own, unplaced));
      // a socket that could not be followed may be anybody's
      if (sockets.problems.length === 0) missing.push(missingOf(own, others, sockets, found));
      const more = place(others, own, sockets);
      observed.push(assign([...own, ...more.sessions], found));
      problems.push(
        few([...sockets.problems.map((problem) => `process ${pid}: ${problem}`), ...more.problems], pid),
      );
    } catch (error) {
      // A server that is gone or cannot be walked leaves the others alone; its sessions are shown as unknown.
      const { message, remedy } = error as Error & { remedy?: string };
      problems.push([`process ${pid}: ${message}${remedy === undefined ? '' : `; mend: ${remedy}`}`]);
      observed.push(assign(own, new Map()));
    }
  }
  return {
    snapshot: { sessions: observed.flat() },
    problems: problems.flat(),
    claimed,
    missing: missing.flat(),
  };
}

/**
 * What a look shows of one address and port of a client. `several`: connections to several of the server's ports, of which
 * nothing says whose each is.
 */
type Found = Connection | 'plain' | 'several';

/** Gives each session its connection, and none to two. */
function assign(sessions: readonly Session[], found: ReadonlyMap<string, Found>): ObservedSession[] {
  const disputes = disputesOf(sessions);
  return sessions.map((session) => {
    const endpoint = formatEndpoint(session.real);
    const unsteerable = whyUnsteerable(session, disputes.get(endpoint));
    if (unsteerable) return { session, connection: undefined, unsteerable };
    const connection = found.get(endpoint);
    return connection === 'several'
      ? { session, connection: undefined, unsteerable: 'disputed' }
      : { session, connection };
  });
}

function whyUnsteerable(
  session: Session,
  rivals: readonly Session[] | undefined,
): ObservedSession['unsteerable'] {
  if (session.protocol === 'udp') return 'udp';
  const overTcp = rivals?.filter(({ protocol }) => protocol === 'tcp') ?? [];
  if (rivals && !(overTcp.length === 1 && overTcp[0] === session)) return 'disputed';
  return session.notLetIn ? 'not-let-in' : undefined;
}

/** Sessions that have one address and port, and may be over TCP all: a server at one port has at most one such client. */
function disputesOf(sessions: readonly Session[]): Map<string, readonly Session[]> {
  const first = new Map<string, Session>();
  const disputes = new Map<string, readonly Session[]>();
  for (const session of sessions) {
    if (session.protocol === 'udp') continue;
    const endpoint = formatEndpoint(session.real);
    const other = first.get(endpoint);
    if (other === undefined) first.set(endpoint, session);
    else disputes.set(endpoint, [...(disputes.get(endpoint) ?? [other]), session]);
  }
  return disputes;
}

/** Of one whose protocol is not known, it may be. */
function isOverTcp({ protocol }: AnySession): boolean {
  return protocol !== 'udp';
}

function missingOf(
  sessions: readonly Session[],
  unplaced: readonly SessionWithoutPort[],
  { connections, plain }: ServerSockets,
  found: ReadonlyMap<string, Found>,
): AnySession[] {
  const missing = sessions.filter((one) => isOverTcp(one) && !found.has(formatEndpoint(one.real)));
  if (unplaced.length === 0) return missing;
  const addresses = new Set([...connections, ...plain].map(({ remote }) => remote.address));
  return [...missing, ...unplaced.filter((one) => isOverTcp(one) && !addresses.has(one.address))];
}

/** Of a session whose port is not known, each connection from its address may be it; of one that is not let in, none is. */
function claims(
  { connections }: ServerSockets,
  sessions: readonly Session[],
  unplaced: readonly SessionWithoutPort[],
): Set<number> {
  const ends = new Set(
    sessions.filter((one) => isOverTcp(one) && !one.notLetIn).map(({ real }) => formatEndpoint(real)),
  );
  const addresses = new Set(unplaced.filter(isOverTcp).map(({ address }) => address));
  return new Set(
    connections
      .filter(({ remote }) => addresses.has(remote.address) || ends.has(formatEndpoint(remote)))
      .map(({ token }) => token),
  );
}

function few(problems: readonly string[], pid: number): string[] {
  if (problems.length <= MOST_PROBLEMS) return [...problems];
  return [...problems.slice(0, MOST_PROBLEMS), `process ${pid}: there are more problems of this kind`];
}

function indexSockets({ connections, plain }: ServerSockets): Map<string, Found> {
  const found = new Map<string, Found>(plain.map(({ remote }) => [formatEndpoint(remote), 'plain']));
  for (const connection of connections) {
    const key = formatEndpoint(connection.remote);
    const other = found.get(key);
    const isAlone = typeof other !== 'object' || isSameEndpoint(other.local, connection.local);
    found.set(key, isAlone && other !== 'several' ? connection : 'several');
  }
  return found;
}

function isSameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one.port === other.port && one.address === other.address;
}
