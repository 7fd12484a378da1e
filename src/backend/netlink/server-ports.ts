import { listeningSockets } from './diag.js';
import type { Family } from './family.js';
import { endpointPorts } from './path-manager.js';
import type { RequestSocket } from './socket.js';

/**
 * Ports of this host that a server's connections are usually on: those that it listens on, and those that the kernel does
 * for all servers. Who else is in the namespace has other ports, and costs us nothing then.
 * @param inodes of the process's sockets.
 * @returns undefined if it listens on none, or not yet: its connections may be on any.
 * @throws {NetlinkError}
 */
export function serverPorts(
  diag: RequestSocket,
  generic: RequestSocket,
  family: Family,
  inodes: ReadonlySet<number>,
): ReadonlySet<number> | undefined {
  const own = listeningSockets(diag).filter(({ inode }) => inodes.has(inode));
  if (own.length === 0) return undefined;
  return new Set([...own.map(({ port }) => port), ...endpointPorts(generic, family)]);
}
