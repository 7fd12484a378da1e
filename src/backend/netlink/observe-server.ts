import { observeSockets, type SocketObservation, type ObservedConnection } from './observe-sockets.js';
import type { ServerPorts } from './server-ports.js';
import type { RequestSocket } from './socket.js';

/** An observation of a server, with what the next one needs of it. */
export interface ServerObservation extends SocketObservation {
  /** Inodes of all sockets that the process had. */
  readonly inodes: ReadonlySet<number>;
  /** Local ports of its connections; undefined: any port is possible. */
  readonly ports: ReadonlySet<number> | undefined;
  /** It has connections on local ports that it does not listen on. */
  readonly isOnOtherPorts: boolean;
}

/** The members of the last observation that the next one uses. */
type LastObservation = Pick<ServerObservation, 'inodes' | 'portOf' | 'isOnOtherPorts'> & {
  readonly connections: readonly ObservedConnection[];
};

/**
 * Observes a server on the ports that it listens on, so that other processes in its network namespace cost nothing.
 *
 * TPROXY and BPF programs (sk_lookup) can give it connections on any other port, and the kernel does not show which ports.
 * So an observation covers all ports if it is the first one, or if the last one showed a connection on another port. It is
 * repeated on all ports if it does not show a socket of the process that is new, or that was a connection before.
 * @param serverPorts where it listens.
 * @throws {NetlinkError}
 */
export function observeServer(
  diag: RequestSocket,
  pid: number,
  inodes: ReadonlySet<number>,
  { listeners, ports: listening }: ServerPorts,
  last: LastObservation | undefined,
): ServerObservation {
  const observeOn = (ports?: ReadonlySet<number>) =>
    observeSockets(diag, pid, inodes, last?.connections, { listeners, ports });
  let observed = last && !last.isOnOtherPorts ? observeOn(listening) : observeOn();
  if (last && !last.isOnOtherPorts && listening && mayHideConnection(inodes, observed, last))
    observed = observeOn();
  const isOnOtherPorts =
    listening !== undefined && [...observed.portOf.values()].some((port) => !listening.has(port));
  return { ...observed, inodes, isOnOtherPorts, ports: isOnOtherPorts ? undefined : listening };
}

/** Whether a socket is missing that is new or was a connection before: it may be on another port. */
function mayHideConnection(
  inodes: ReadonlySet<number>,
  observed: SocketObservation,
  last: LastObservation,
): boolean {
  for (const inode of inodes) {
    if (!observed.portOf.has(inode) && (!last.inodes.has(inode) || last.portOf.has(inode))) return true;
  }
  return false;
}
