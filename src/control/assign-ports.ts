import type { ServerSockets } from '../model/connection.js';
import { formatEndpoint, type Endpoint } from '../model/endpoint.js';
import type { Session, SessionWithoutPort } from '../model/session.js';

/**
 * Gives each session without a port the port of the only connection from its address that no other session has.
 * @returns the sessions that have a port now, and a problem for each of the others.
 */
export function assignPorts(
  withoutPort: readonly SessionWithoutPort[],
  withPort: readonly Session[],
  { connections, plain }: ServerSockets,
): { readonly sessions: readonly Session[]; readonly problems: readonly string[] } {
  const taken = new Set(withPort.map(({ real }) => formatEndpoint(real)));
  // both by the client's address: the sockets that no session has, and the sessions that compete for them
  const free = new Map<string, Endpoint[]>();
  for (const { remote } of [...connections, ...plain]) {
    if (!taken.has(formatEndpoint(remote))) append(free, remote.address, remote);
  }
  const rivals = new Map<string, SessionWithoutPort[]>();
  for (const session of withoutPort) append(rivals, session.address, session);
  const sessions: Session[] = [];
  const problems: string[] = [];
  for (const { address, ...session } of withoutPort) {
    const endpoints = free.get(address) ?? [];
    const [real] = endpoints;
    if (real && endpoints.length === 1 && rivals.get(address)?.length === 1)
      sessions.push({ ...session, real });
    else {
      problems.push(
        `${session.commonName}: OpenVPN does not report its port, and ${endpoints.length} connections are ` +
          `from ${address}: use the client-connect hook, which reports it`,
      );
    }
  }
  return { sessions, problems };
}

/** Adds an item to the list of a key. */
function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
