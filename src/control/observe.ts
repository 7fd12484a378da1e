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
}

/** Of one process, that are told one by one. */
const MOST_PROBLEMS = 100;

/**
 * Joins OpenVPN's sessions with the kernel's connections: by process and the client's real address and port. A session
 * whose port is not known is placed by its address, where that leaves no doubt. However many sessions a server has, and
 * whatever fails for it, the others are observed.
 */
export async function observe(
  backend: Backend,
  sessions: readonly Session[],
  unplaced: readonly UnplacedSession[],
): Promise<Observation> {
  const observed: ObservedSession[][] = [];
  const problems: string[][] = [];
  for (const pid of new Set([...sessions, ...unplaced].map((session) => session.pid))) {
    const own = sessions.filter((session) => session.pid === pid);
    try {
      const sockets = await backend.connections(pid);
      const found = indexSockets(sockets);
      const others = unplaced.filter((session) => session.pid === pid);
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
  return { snapshot: { sessions: observed.flat() }, problems: problems.flat() };
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
