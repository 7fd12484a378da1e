import { observeSockets, type SocketObservation, type ObservedConnection } from './observe-sockets.js';
import type { ServerPorts } from './server-ports.js';
import type { RequestSocket } from './socket.js';

/** A look at a server, and what the next one is to know of it. */
export interface ServerObservation extends SocketObservation {
  /** Of all sockets that the process had. */
  readonly inodes: ReadonlySet<number>;
  /** Ports of this host that its connections are on; undefined: they may be on any. */
  readonly ports: ReadonlySet<number> | undefined;
  /** It has connections on ports that it does not listen on. */
  readonly isOnOtherPorts: boolean;
}

/** What a look goes by that of a server's connections before it. */
type LastObservation = Pick<ServerObservation, 'inodes' | 'portOf' | 'isOnOtherPorts'> & {
  readonly connections: readonly ObservedConnection[];
};

/**
 * Looks at a server on the ports that it listens on, so that who else is in its network namespace costs nothing. TPROXY and
 * programs of BPF (sk_lookup) give it connections on any other port all the same, and nobody can ask the kernel which: so
 * the first look is on all ports, and so is each while it has such a connection, or has a socket, new or of a connection,
 * that is not on those that it listens on.
 * @param where it listens.
 * @throws {NetlinkError}
 */
export function observeServer(
  diag: RequestSocket,
  pid: number,
  inodes: ReadonlySet<number>,
  { listeners, ports: listening }: ServerPorts,
  last: LastObservation | undefined,
): ServerObservation {
  const lookOn = (ports?: ReadonlySet<number>) =>
    observeSockets(diag, pid, inodes, last?.connections, { listeners, ports });
  let seen = last && !last.isOnOtherPorts ? lookOn(listening) : lookOn();
  if (last && !last.isOnOtherPorts && listening && mayHideConnection(inodes, seen, last)) seen = lookOn();
  const isOnOtherPorts =
    listening !== undefined && [...seen.portOf.values()].some((port) => !listening.has(port));
  return { ...seen, inodes, isOnOtherPorts, ports: isOnOtherPorts ? undefined : listening };
}

/** Whether a socket that it did not have, or that was shown as a connection, is not shown now: it may be on another port. */
function mayHideConnection(
  inodes: ReadonlySet<number>,
  seen: SocketObservation,
  last: LastObservation,
): boolean {
  for (const inode of inodes) {
    if (!seen.portOf.has(inode) && (!last.inodes.has(inode) || last.portOf.has(inode))) return true;
  }
  return false;
}
