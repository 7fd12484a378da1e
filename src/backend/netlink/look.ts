import { formatEndpoint } from '../../endpoint.js';
import type { Connection, PlainPeer, Subflow } from '../backend.js';
import { metaSockets, tcpSockets, type TcpSocket } from './diag.js';
import type { RequestSocket } from './socket.js';

/** A connection and its subflows as sock_diag showed them. */
export interface SeenConnection {
  readonly connection: Connection;
  /** By the ends' {@link endsKey}. */
  readonly sockets: ReadonlyMap<string, TcpSocket>;
}

/** Everything that one look at a process's sockets shows. */
export interface Seen {
  readonly connections: readonly SeenConnection[];
  readonly plain: readonly PlainPeer[];
}

/**
 * The MPTCP connections and the plain TCP sockets of a process.
 * @param inodes of the process's sockets: who else is in its network namespace is no business of ours.
 * @throws {NetlinkError}
 */
export function look(diag: RequestSocket, pid: number, inodes: ReadonlySet<number>): Seen {
  // Meta-sockets first: a subflow that comes between the two has its connection already.
  const metas = metaSockets(diag).filter(({ inode }) => inodes.has(inode));
  const sockets = tcpSockets(diag);
  const byToken = new Map<number, TcpSocket[]>(metas.map(({ token }) => [token, []]));
  for (const socket of sockets) if (socket.mptcp) byToken.get(socket.mptcp.token)?.push(socket);

  const metaInodes = new Set(metas.map(({ inode }) => inode));
  const plain = [
    ...sockets.filter(({ mptcp, inode }) => !mptcp && inodes.has(inode) && !metaInodes.has(inode)),
    ...metas.filter(({ fellBack }) => fellBack),
  ];
  return {
    connections: metas
      .filter(({ fellBack }) => !fellBack)
      .map(({ token, local, remote }) => {
        const own = byToken.get(token) ?? [];
        return {
          connection: { pid, remote, local, token, subflows: own.flatMap(subflowOf) },
          sockets: new Map(own.map((socket) => [endsKey(socket), socket])),
        };
      }),
    plain: plain.map(({ remote }) => ({ pid, remote })),
  };
}

function subflowOf({ local, remote, mptcp, ...measured }: TcpSocket): Subflow[] {
  if (!mptcp) return [];
  const { id, ours, peers } = mptcp;
  const { rtt, bytesAcked, bytesReceived, minRtt, retransmitted } = measured;
  // The kernel sends MP_PRIO in the same call that sets the wish.
  const wishes = { ours, peers, mpPrioPending: false };
  return [{ local, remote, ...wishes, id, rtt, bytesAcked, bytesReceived, minRtt, retransmitted }];
}

export function endsKey({ local, remote }: Pick<Subflow, 'local' | 'remote'>): string {
  return `${formatEndpoint(local)} ${formatEndpoint(remote)}`;
}
