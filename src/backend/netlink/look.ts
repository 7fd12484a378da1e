import type { Connection, PlainPeer, Subflow } from '../backend.js';
import { metaSockets, tcpSockets, type TcpSocket } from './diag.js';
import type { RequestSocket } from './socket.js';

/** A connection and its subflows as sock_diag showed them. */
export interface SeenConnection {
  readonly connection: Connection;
  /** One for each of its subflows, in the same order. */
  readonly sockets: readonly TcpSocket[];
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
  const own = metaSockets(diag).filter(({ inode }) => inodes.has(inode));
  // A dump goes on by counting, and tells one twice if another came before it meanwhile.
  const metas = [...new Map(own.map((meta) => [meta.token, meta])).values()];
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
        const its = byToken.get(token) ?? [];
        return { connection: { pid, remote, local, token, subflows: subflowsOf(its) }, sockets: its };
      }),
    plain: plain.map(({ remote }) => ({ pid, remote })),
  };
}

function subflowsOf(sockets: readonly TcpSocket[]): Subflow[] {
  const subflows: Subflow[] = [];
  for (const { local, remote, mptcp, rtt, bytesAcked, bytesReceived, minRtt, retransmitted } of sockets) {
    if (!mptcp) continue;
    const { id, ours, peers } = mptcp;
    // The kernel sends MP_PRIO in the same call that sets the wish.
    const wishes = { ours, peers, mpPrioPending: false };
    const measured = { rtt, bytesAcked, bytesReceived, minRtt, retransmitted };
    subflows.push({ local, remote, ...wishes, id, ...measured });
  }
  return subflows;
}
