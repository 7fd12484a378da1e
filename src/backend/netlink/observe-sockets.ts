import { isSameEndpoint, type Endpoint } from '../../model/endpoint.js';
import type { Connection, PlainPeer } from '../../model/connection.js';
import type { Subflow } from '../../model/subflow.js';
import { metaSockets, tcpSockets, type MetaSocket, type TcpSocket } from './diag.js';
import { hasListenerFor, type ServerPorts } from './server-ports.js';
import type { RequestSocket } from './socket.js';

/** A connection and its subflows as sock_diag(7) shows them. */
export interface ObservedConnection {
  readonly connection: Connection;
  /** The TCP socket of each subflow, in the order of `connection.subflows`. */
  readonly sockets: readonly TcpSocket[];
}

/** The sockets of one process. */
export interface SocketObservation {
  readonly connections: readonly ObservedConnection[];
  readonly plain: readonly PlainPeer[];
  /** Connections that the process has not accepted yet. They can have subflows, but no session. */
  readonly waiting: readonly ObservedConnection[];
  /** By inode: the local port of each established socket of the process. */
  readonly portOf: ReadonlyMap<number, number>;
}

/**
 * Observes the MPTCP connections and the plain TCP sockets of a process.
 * @param inodes of the process's sockets. Sockets of other processes in its network namespace are ignored.
 * @param last its connections in the last observation. An unchanged connection stays the same object.
 * @param serverPorts where it listens, and the local ports of its connections.
 * @throws {NetlinkError}
 */
export function observeSockets(
  diag: RequestSocket,
  pid: number,
  inodes: ReadonlySet<number>,
  last: readonly ObservedConnection[] = [],
  { listeners, ports }: ServerPorts = { listeners: [], ports: undefined },
): SocketObservation {
  // Meta-sockets first: then each subflow of the second dump has its connection in the first, also a new one.
  const all = metaSockets(diag, ports);
  const metas = withoutDuplicates(all.filter(({ inode }) => inodes.has(inode)));
  const waiting = withoutDuplicates(
    all.filter(({ inode, local }) => inode === 0 && hasListenerFor(listeners, local)),
  );
  const byCookie = new Map<number, TcpSocket>();
  for (const { sockets } of last) for (const socket of sockets) byCookie.set(socket.cookie, socket);
  const sockets = tcpSockets(diag, byCookie, ports);
  const byToken = new Map<number, TcpSocket[]>([...metas, ...waiting].map(({ token }) => [token, []]));
  for (const socket of sockets) if (socket.mptcp) byToken.get(socket.mptcp.token)?.push(socket);

  const lastByToken = new Map(last.map((one) => [one.connection.token, one]));
  const metaInodes = new Set(metas.map(({ inode }) => inode));
  const plainSockets = sockets.filter(
    ({ mptcp, inode }) => !mptcp && inodes.has(inode) && !metaInodes.has(inode),
  );
  const plain: PlainPeer[] = [
    ...plainSockets.map(({ remote }) => ({ pid, remote })),
    ...metas
      .filter(({ hasFallenBack }) => hasFallenBack)
      .map(({ remote }) => ({ pid, remote, fellBack: true as const })),
  ];
  const connectionsOf = (some: readonly MetaSocket[]) =>
    some
      .filter(({ hasFallenBack }) => !hasFallenBack)
      .map(({ token, local, remote }): ObservedConnection => {
        const own = byToken.get(token) ?? [];
        const one = lastByToken.get(token);
        if (one && isUnchanged(one, remote, own)) return one;
        return { connection: { pid, remote, local, token, subflows: subflowsOf(own) }, sockets: own };
      });
  return {
    connections: connectionsOf(metas),
    plain,
    waiting: connectionsOf(waiting),
    portOf: new Map([...metas, ...plainSockets].map(({ inode, local }) => [inode, local.port])),
  };
}

/** A dump can list a socket twice if another was added meanwhile. */
function withoutDuplicates(metas: readonly MetaSocket[]): MetaSocket[] {
  return [...new Map(metas.map((meta) => [meta.token, meta])).values()];
}

function isUnchanged(
  { connection, sockets }: ObservedConnection,
  remote: Endpoint,
  now: readonly TcpSocket[],
): boolean {
  return (
    isSameEndpoint(connection.remote, remote) &&
    sockets.length === now.length &&
    sockets.every((socket, index) => socket === now[index])
  );
}

function subflowsOf(sockets: readonly TcpSocket[]): Subflow[] {
  const subflows: Subflow[] = [];
  for (const { local, remote, mptcp, counters } of sockets) {
    if (!mptcp) continue;
    const { id, ours, peers } = mptcp;
    // The kernel sends MP_PRIO in the same call that sets our priority, so none is ever pending.
    const priorities = { ours, peers, mpPrioPending: false };
    subflows.push({ local, remote, ...priorities, id, ...counters });
  }
  return subflows;
}
