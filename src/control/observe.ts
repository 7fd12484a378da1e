import type { Backend, ServerSockets } from '../backend/backend.js';
import { formatEndpoint } from '../endpoint.js';
import type { Session } from '../openvpn/session.js';
import type { ObservedSession, Snapshot } from '../steering/snapshot.js';

/** A snapshot and what could not be seen on the way to it. */
export interface Observation {
  readonly snapshot: Snapshot;
  readonly problems: readonly string[];
}

/** Joins OpenVPN's sessions with the kernel's connections: by process and the client's real address and port. */
export async function observe(backend: Backend, sessions: readonly Session[]): Promise<Observation> {
  const problems: string[] = [];
  const byPid = new Map<number, ReturnType<typeof indexSockets>>();
  for (const pid of new Set(sessions.map((session) => session.pid))) {
    try {
      const sockets = await backend.connections(pid);
      byPid.set(pid, indexSockets(sockets));
      problems.push(...sockets.problems.map((problem) => `process ${pid}: ${problem}`));
    } catch (error) {
      // A server that is gone or cannot be walked leaves the others alone; its sessions are shown as unknown.
      problems.push(`process ${pid}: ${(error as Error).message}`);
    }
  }
  return {
    snapshot: {
      sessions: sessions.map((session) => ({
        session,
        connection: byPid.get(session.pid)?.get(formatEndpoint(session.real)),
      })),
    },
    problems,
  };
}

function indexSockets({ connections, plain }: ServerSockets): Map<string, ObservedSession['connection']> {
  return new Map<string, ObservedSession['connection']>([
    ...plain.map(({ remote }) => [formatEndpoint(remote), 'plain'] as const),
    ...connections.map((connection) => [formatEndpoint(connection.remote), connection] as const),
  ]);
}
