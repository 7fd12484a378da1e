import type { Backend, ServerSockets } from '../backend/backend.js';
import { formatEndpoint } from '../endpoint.js';
import type { UnplacedSession } from '../openvpn/view.js';
import type { Session } from '../openvpn/session.js';
import type { ObservedSession, Snapshot } from '../steering/snapshot.js';
import { place } from './place.js';

/** A snapshot and what could not be seen on the way to it. */
export interface Observation {
  readonly snapshot: Snapshot;
  readonly problems: readonly string[];
  /** Tokens of the connections that are sessions', or may be, by the server's process. */
  readonly claimed: ReadonlyMap<number, ReadonlySet<number>>;
}

/** Of one process, that are told one by one. */
const MOST_PROBLEMS = 100;

/**
 * Joins OpenVPN's sessions with the kernel's connections: by process and the client's real address and port. A session
 * whose port is not known is placed by its address, where that leaves no doubt. However many sessions a server has, and
 * whatever fails for it, the others are observed.
 * @param idle processes of servers to look at even where nobody has a session: strangers may be connected.
 */
export async function observe(
  backend: Backend,
  sessions: readonly Session[],
  unplaced: readonly UnplacedSession[],
  idle: readonly number[] = [],
): Promise<Observation> {
  const observed: ObservedSession[][] = [];
  const problems: string[][] = [];
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
      const more = place(others, own, sockets);
      observed.push(
        [...own, ...more.sessions].map((session) => ({
          session,
          connection: found.get(formatEndpoint(session.real)),
        })),
      );
      problems.push(
        few([...sockets.problems.map((problem) => `process ${pid}: ${problem}`), ...more.problems], pid),
      );
    } catch (error) {
      // A server that is gone or cannot be walked leaves the others alone; its sessions are shown as unknown.
      const { message, remedy } = error as Error & { remedy?: string };
      problems.push([`process ${pid}: ${message}${remedy === undefined ? '' : `; mend: ${remedy}`}`]);
      observed.push(own.map((session) => ({ session, connection: undefined })));
    }
  }
  return { snapshot: { sessions: observed.flat() }, problems: problems.flat(), claimed };
}

/** Of a session whose port is not known, each connection from its address may be it. */
function claims(
  { connections }: ServerSockets,
  sessions: readonly Session[],
  unplaced: readonly UnplacedSession[],
): Set<number> {
  const ends = new Set(sessions.map(({ real }) => formatEndpoint(real)));
  const addresses = new Set(unplaced.map(({ address }) => address));
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

function indexSockets({ connections, plain }: ServerSockets): Map<string, ObservedSession['connection']> {
  return new Map<string, ObservedSession['connection']>([
    ...plain.map(({ remote }) => [formatEndpoint(remote), 'plain'] as const),
    ...connections.map((connection) => [formatEndpoint(connection.remote), connection] as const),
  ]);
}
