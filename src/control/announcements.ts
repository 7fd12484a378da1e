import type { ServerConfig } from '../config/config.js';
import type { Announcement } from '../model/announcement.js';
import type { Snapshot } from '../steering/snapshot.js';

/**
 * What to announce to the clients of the servers that have `announce`: the addresses that no subflow of the connection uses.
 * A connection without a session is left out, because its client is not authenticated.
 */
export function announcementsOf(
  servers: readonly Pick<ServerConfig, 'name' | 'announce'>[],
  { sessions }: Snapshot,
): Announcement[] {
  const byServer = new Map(servers.flatMap(({ name, announce }) => (announce ? [[name, announce]] : [])));
  if (byServer.size === 0) return [];
  return sessions.flatMap(({ session, connection }) => {
    const announced = byServer.get(session.server);
    if (!announced || connection === undefined || connection === 'plain') return [];
    const { pid, token, subflows } = connection;
    const addresses = announced.filter((address) => subflows.every(({ local }) => local.address !== address));
    return addresses.length > 0 ? [{ pid, token, addresses }] : [];
  });
}
