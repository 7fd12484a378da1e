import type { ServerSockets } from '../model/connection.js';
import { formatEndpoint, type Endpoint } from '../model/endpoint.js';
import type { SessionWithoutPort, Session } from '../model/session.js';

/** Gives a session the port of the one connection from its address that is nobody else's. */
export function place(
  unplaced: readonly SessionWithoutPort[],
  placed: readonly Session[],
  { connections, plain }: ServerSockets,
): { readonly sessions: readonly Session[]; readonly problems: readonly string[] } {
  const taken = new Set(placed.map(({ real }) => formatEndpoint(real)));
  const free = new Map<string, Endpoint[]>();
  for (const { remote } of [...connections, ...plain]) {
    if (!taken.has(formatEndpoint(remote))) append(free, remote.address, remote);
  }
  const rivals = new Map<string, SessionWithoutPort[]>();
  for (const session of unplaced) append(rivals, session.address, session);
  const sessions: Session[] = [];
  const problems: string[] = [];
  for (const { address, ...session } of unplaced) {
    const ends = free.get(address) ?? [];
    const [real] = ends;
    if (real && ends.length === 1 && rivals.get(address)?.length === 1) sessions.push({ ...session, real });
    else {
      problems.push(
        `${session.commonName}: OpenVPN does not tell its port, and ${ends.length} connections are ` +
          `from ${address}: use the client-connect hook, which does`,
      );
    }
  }
  return { sessions, problems };
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
