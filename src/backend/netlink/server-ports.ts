import type { Endpoint } from '../../model/endpoint.js';
import { listeningSockets, type ListeningSocket } from './diag.js';
import type { Family } from './family.js';
import { endpointPorts } from './path-manager.js';
import type { RequestSocket } from './socket.js';

/** Where a server's connections come to. */
export interface ServerPorts {
  /** Its sockets that listen. */
  readonly listeners: readonly ListeningSocket[];
  /**
   * Ports of this host that its connections are usually on: those that it listens on, and those that the kernel does for
   * all servers. Who else is in the namespace has other ports, and costs us nothing then. Undefined if it listens on none,
   * or not yet: its connections may be on any.
   */
  readonly ports: ReadonlySet<number> | undefined;
}

/**
 * Looks where a server listens.
 * @param inodes of the process's sockets.
 * @throws {NetlinkError}
 */
export function serverPorts(
  diag: RequestSocket,
  generic: RequestSocket,
  family: Family,
  inodes: ReadonlySet<number>,
): ServerPorts {
  const listeners = listeningSockets(diag).filter(({ inode }) => inodes.has(inode));
  if (listeners.length === 0) return { listeners, ports: undefined };
  const ports = new Set([...listeners.map(({ port }) => port), ...endpointPorts(generic, family)]);
  return { listeners, ports };
}

/** Whether one of these takes what comes to an end of this host. */
export function hasListenerFor(listeners: readonly ListeningSocket[], { address, port }: Endpoint): boolean {
  return listeners.some(
    (one) => one.port === port && (one.address === address || ANY_ADDRESS.has(one.address)),
  );
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
