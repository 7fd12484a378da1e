import type { Backend, ServerSockets } from '../backend/backend.js';
import { formatEndpoint } from '../endpoint.js';
import type { AnySession } from '../openvpn/absences.js';
import type { UnplacedSession } from '../openvpn/view.js';
import type { Session } from '../openvpn/session.js';
import type { ObservedSession, Snapshot } from '../steering/snapshot.js';

/** A snapshot and what could not be seen on the way to it. */
export interface Observation {
  readonly snapshot: Snapshot;
  readonly problems: readonly string[];
  /** Sessions that may be over TCP and of whom the kernel shows no socket, where a look at its process showed everything. */
  readonly missing: readonly AnySession[];
}

/**
 * Joins OpenVPN's sessions with the kernel's connections: by process and the client's real address and port. A session
 * whose port is not known is placed by its address, where that leaves no doubt.
 */
export async function observe(
  backend: Backend,
  sessions: readonly Session[],
  unplaced: readonly UnplacedSession[],
): Promise<Observation> {
  const problems: string[] = [];
  const observed: ObservedSession[] = [];
  const missing: AnySession[] = [];
  for (const pid of new Set([...sessions, ...unplaced].map((session) => session.pid))) {
    const own = sessions.filter((session) => session.pid === pid);
    const open = unplaced.filter((session) => session.pid === pid);
    let found: ReadonlyMap<string, ObservedSession['connection']> = new Map();
    try {
      const sockets = await backend.connections(pid);
      problems.push(...sockets.problems.map((problem) => `process ${pid}: ${problem}`));
      found = indexSockets(sockets);
      // a socket that could not be followed may be anybody's
      if (sockets.problems.length === 0) missing.push(...missingOf(own, open, sockets, found));
      own.push(...place(open, own, sockets, problems));
    } catch (error) {
      // A server that is gone or cannot be walked leaves the others alone; its sessions are shown as unknown.
      const { message, remedy } = error as Error & { remedy?: string };
      problems.push(`process ${pid}: ${message}${remedy === undefined ? '' : `; mend: ${remedy}`}`);
    }
    observed.push(...assign(own, found));
  }
  return { snapshot: { sessions: observed }, problems, missing };
}

/** Gives each session its connection, and none to two. */
function assign(
  sessions: readonly Session[],
  found: ReadonlyMap<string, ObservedSession['connection']>,
): ObservedSession[] {
  const disputes = disputesOf(sessions);
  return sessions.map((session) => {
    const endpoint = formatEndpoint(session.real);
    const unsteerable = whyUnsteerable(session, disputes.get(endpoint));
    return unsteerable
      ? { session, connection: undefined, unsteerable }
      : { session, connection: found.get(endpoint) };
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

/** Sessions that have one address and port, and may be over TCP all; one process has at most one such client. */
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

function missingOf(
  sessions: readonly Session[],
  unplaced: readonly UnplacedSession[],
  { connections, plain }: ServerSockets,
  found: ReadonlyMap<string, ObservedSession['connection']>,
): AnySession[] {
  const isTcp = ({ protocol }: AnySession) => protocol !== 'udp';
  const missing = sessions.filter((one) => isTcp(one) && !found.has(formatEndpoint(one.real)));
  if (unplaced.length === 0) return missing;
  const addresses = new Set([...connections, ...plain].map(({ remote }) => remote.address));
  return [...missing, ...unplaced.filter((one) => isTcp(one) && !addresses.has(one.address))];
}

/** Gives a session the port of the one connection from its address that is nobody else's. */
function place(
  unplaced: readonly UnplacedSession[],
  placed: readonly Session[],
  { connections, plain }: ServerSockets,
  problems: string[],
): Session[] {
  const taken = new Set(placed.map(({ real }) => formatEndpoint(real)));
  const free = [...connections, ...plain]
    .map(({ remote }) => remote)
    .filter((end) => !taken.has(formatEndpoint(end)));
  return unplaced.flatMap(({ address, ...session }) => {
    const [real, ...others] = free.filter((end) => end.address === address);
    const rivals = unplaced.filter((other) => other.address === address);
    if (real && others.length === 0 && rivals.length === 1) return [{ ...session, real }];
    problems.push(
      `${session.commonName}: OpenVPN does not tell its port, and ${others.length + (real ? 1 : 0)} connections are ` +
        `from ${address}: use the client-connect hook, which does`,
    );
    return [];
  });
}

function indexSockets({ connections, plain }: ServerSockets): Map<string, ObservedSession['connection']> {
  return new Map<string, ObservedSession['connection']>([
    ...plain.map(({ remote }) => [formatEndpoint(remote), 'plain'] as const),
    ...connections.map((connection) => [formatEndpoint(connection.remote), connection] as const),
  ]);
}
