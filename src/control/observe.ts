import type { Backend, ServerSockets } from '../backend/backend.js';
import { formatEndpoint } from '../endpoint.js';
import type { UnplacedSession } from '../openvpn/view.js';
import type { Session } from '../openvpn/session.js';
import type { ObservedSession, Snapshot } from '../steering/snapshot.js';

/** A snapshot and what could not be seen on the way to it. */
export interface Observation {
  readonly snapshot: Snapshot;
  readonly problems: readonly string[];
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
  for (const pid of new Set([...sessions, ...unplaced].map((session) => session.pid))) {
    const own = sessions.filter((session) => session.pid === pid);
    let found: ReadonlyMap<string, ObservedSession['connection']> = new Map();
    try {
      const sockets = await backend.connections(pid);
      problems.push(...sockets.problems.map((problem) => `process ${pid}: ${problem}`));
      found = indexSockets(sockets);
      own.push(
        ...place(
          unplaced.filter((session) => session.pid === pid),
          own,
          sockets,
          problems,
        ),
      );
    } catch (error) {
      // A server that is gone or cannot be walked leaves the others alone; its sessions are shown as unknown.
      const { message, remedy } = error as Error & { remedy?: string };
      problems.push(`process ${pid}: ${message}${remedy === undefined ? '' : `; mend: ${remedy}`}`);
    }
    observed.push(
      ...own.map((session) => ({ session, connection: found.get(formatEndpoint(session.real)) })),
    );
  }
  return { snapshot: { sessions: observed }, problems };
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
