import { isSameEndpoint, type Endpoint } from '../../model/endpoint.js';
import type { Connection, PlainPeer } from '../../model/connection.js';
import type { Subflow } from '../../model/subflow.js';
import { metaSockets, tcpSockets, type MetaSocket, type TcpSocket } from './diag.js';
import { hasListenerFor, type ServerPorts } from './server-ports.js';
import type { RequestSocket } from './socket.js';

/** A connection and its subflows as sock_diag showed them. */
export interface ObservedConnection {
  readonly connection: Connection;
  /** One for each of its subflows, in the same order. */
  readonly sockets: readonly TcpSocket[];
}

/** Everything that one look at a process's sockets shows. */
export interface SocketObservation {
  readonly connections: readonly ObservedConnection[];
  readonly plain: readonly PlainPeer[];
  /** Connections that wait for the process to accept them: no session's yet, but with subflows already. */
  readonly waiting: readonly ObservedConnection[];
  /** The port of this host that each of the process's established sockets is on, by inode. */
  readonly portOf: ReadonlyMap<number, number>;
}

/**
 * The MPTCP connections and the plain TCP sockets of a process.
 * @param inodes of the process's sockets: who else is in its network namespace is no business of ours.
 * @param before its connections at the last look: what is as it was stays the same object.
 * @param where it listens, and the ports that its connections are on.
 * @throws {NetlinkError}
 */
export function observeSockets(
  diag: RequestSocket,
  pid: number,
  inodes: ReadonlySet<number>,
  before: readonly ObservedConnection[] = [],
  { listeners, ports }: ServerPorts = { listeners: [], ports: undefined },
): SocketObservation {
  // Meta-sockets first: a subflow that comes between the two has its connection already.
  const all = metaSockets(diag, ports);
  const metas = withoutDuplicates(all.filter(({ inode }) => inodes.has(inode)));
  const waiting = withoutDuplicates(
    all.filter(({ inode, local }) => inode === 0 && hasListenerFor(listeners, local)),
  );
  const known = new Map<number, TcpSocket>();
  for (const { sockets } of before) for (const socket of sockets) known.set(socket.cookie, socket);
  const sockets = tcpSockets(diag, known, ports);
  const byToken = new Map<number, TcpSocket[]>([...metas, ...waiting].map(({ token }) => [token, []]));
  for (const socket of sockets) if (socket.mptcp) byToken.get(socket.mptcp.token)?.push(socket);

  const earlier = new Map(before.map((one) => [one.connection.token, one]));
  const metaInodes = new Set(metas.map(({ inode }) => inode));
  const plainSockets = sockets.filter(
    ({ mptcp, inode }) => !mptcp && inodes.has(inode) && !metaInodes.has(inode),
  );
  const plain = [...plainSockets, ...metas.filter(({ fellBack }) => fellBack)];
  const connectionsOf = (some: readonly MetaSocket[]) =>
    some
      .filter(({ fellBack }) => !fellBack)
      .map(({ token, local, remote }): ObservedConnection => {
        const its = byToken.get(token) ?? [];
        const one = earlier.get(token);
        if (one && isUnchanged(one, remote, its)) return one;
        return { connection: { pid, remote, local, token, subflows: subflowsOf(its) }, sockets: its };
      });
  return {
    connections: connectionsOf(metas),
    plain: plain.map(({ remote }) => ({ pid, remote })),
    waiting: connectionsOf(waiting),
    portOf: new Map([...metas, ...plainSockets].map(({ inode, local }) => [inode, local.port])),
  };
}

/** A dump goes on by counting, and tells one twice if another came before it meanwhile. */
function withoutDuplicates(metas: readonly MetaSocket[]): MetaSocket[] {
  return [...new Map(metas.map((meta) => [meta.token, meta])).values()];
}

function isUnchanged(
  { connection, sockets }: ObservedConnection,
  remote: Endpoint,
  its: readonly TcpSocket[],
): boolean {
  return (
    isSameEndpoint(connection.remote, remote) &&
    sockets.length === its.length &&
    sockets.every((socket, index) => socket === its[index])
  );
}

function subflowsOf(sockets: readonly TcpSocket[]): Subflow[] {
  const subflows: Subflow[] = [];
  for (const { local, remote, mptcp, counters } of sockets) {
    if (!mptcp) continue;
    const { id, ours, peers } = mptcp;
    // The kernel sends MP_PRIO in the same call that sets the wish.
    const wishes = { ours, peers, mpPrioPending: false };
    subflows.push({ local, remote, ...wishes, id, ...counters });
  }
  return subflows;
}
