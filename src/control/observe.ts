import type { Backend, ServerSockets } from '../backend/backend.js';
import { formatEndpoint } from '../endpoint.js';
import type { UnplacedSession } from '../openvpn/view.js';
import type { Session } from '../openvpn/session.js';
import type { ObservedSession, Snapshot } from '../steering/snapshot.js';

/** A snapshot and what could not be seen on the way to it. */
export interface Observation {
  readonly snapshot: Snapshot;
  readonly problems: readonly string[];
  /** Tokens of the connections that are sessions', or may be, by the server's process. */
  readonly claimed: ReadonlyMap<number, ReadonlySet<number>>;
}

/**
 * Joins OpenVPN's sessions with the kernel's connections: by process and the client's real address and port. A session
 * whose port is not known is placed by its address, where that leaves no doubt.
 * @param idle processes of servers to look at even where nobody has a session: strangers may be connected.
 */
export async function observe(
  backend: Backend,
  sessions: readonly Session[],
  unplaced: readonly UnplacedSession[],
  idle: readonly number[] = [],
): Promise<Observation> {
  const problems: string[] = [];
  const observed: ObservedSession[] = [];
  const claimed = new Map<number, ReadonlySet<number>>();
  const pids = new Set([...sessions, ...unplaced].map((session) => session.pid));
  for (const pid of idle) {
    if (pids.has(pid)) continue;
    // nobody misses it: where it cannot be looked at, that is said as soon as it has a session
    await backend.connections(pid).catch(() => undefined);
  }
  for (const pid of pids) {
    const own = sessions.filter((session) => session.pid === pid);
    let found: ReadonlyMap<string, ObservedSession['connection']> = new Map();
    try {
      const sockets = await backend.connections(pid);
      problems.push(...sockets.problems.map((problem) => `process ${pid}: ${problem}`));
      found = indexSockets(sockets);
      claimed.set(pid, claims(sockets, own, unplaced));
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
  return { snapshot: { sessions: observed }, problems, claimed };
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
