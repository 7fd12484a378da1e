import type { Endpoint } from '../../model/endpoint.js';
import { listeningSockets, type ListeningSocket } from './diag.js';
import type { Family } from './family.js';
import { endpointPorts } from './path-manager.js';
import type { RequestSocket } from './socket.js';

/** Where a server accepts connections. */
export interface ServerPorts {
  /** Its listening sockets. */
  readonly listeners: readonly ListeningSocket[];
  /**
   * The usual local ports of its connections: those that it listens on, and those that the kernel listens on for all
   * servers. Other processes in the namespace have other ports. Undefined if it listens on none, or not yet: then its
   * connections may be on any port.
   */
  readonly ports: ReadonlySet<number> | undefined;
}

/**
 * Reads where a server listens.
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

/** Whether one of these listening sockets accepts connections to a local endpoint. */
export function hasListenerFor(listeners: readonly ListeningSocket[], { address, port }: Endpoint): boolean {
  return listeners.some(
    (one) => one.port === port && (one.address === address || ANY_ADDRESS.has(one.address)),
  );
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
