import { formatEndpoint, isSameEndpoint } from '../model/endpoint.js';
import type { Backend, PriorityOptions, PriorityResult } from './backend.js';
import type { Connection, ServerSockets } from '../model/connection.js';
import type { ExcessSubflows, SubflowLimits } from '../model/subflow-limits.js';
import type { Priority, SubflowName } from '../model/subflow.js';
import { descriptors, socketInodes } from './netlink/descriptors.js';
import { subflowNow, type SubflowInfo, type TcpSocket } from './netlink/diag.js';
import { explain } from './netlink/explain.js';
import { PathManagerListener } from './netlink/listener.js';
import type { SeenConnection } from './netlink/look.js';
import type { NetworkNamespace } from './netlink/namespace.js';
import { isUserspace, setPriority } from './netlink/path-manager.js';
import { lookAtServer, type ServerLook } from './netlink/server-look.js';
import { serverPorts } from './netlink/server-ports.js';

/** The last look at a server. */
interface Known extends ServerLook {
  readonly namespace: NetworkNamespace;
  /** By {@link formatEndpoint} of the meta-socket's peer; made when it is needed. */
  byPeer?: ReadonlyMap<string, readonly SeenConnection[]>;
  /** By token: whether the connection began under net.mptcp.pm_type = 1, which lasts as long as it does. */
  readonly userspace: ReadonlyMap<number, boolean>;
  /** What was seen to be our wish after it was set, later than the look. */
  readonly set: Map<TcpSocket, Priority>;
}

const OLD =
  'its priorities cannot be set, because it began under net.mptcp.pm_type = 0: set that to 1 where its server runs, ' +
  'and let it reconnect';
const EARLY =
  'it was there before subflowd: the kernel refuses further subflows while nobody listens; they come when it reconnects';

const HELD_BACK =
  'the client asks for backup, and through netlink that cannot be taken back: peer-backup = override takes backend = devmem';

/** Sees priorities through sock_diag and asks the kernel's path manager to set them, in the servers' namespaces. */
export class NetlinkBackend implements Backend {
  readonly name = 'netlink';
  readonly tellsPeer = true;
  readonly description = 'the kernel is asked, subflow by subflow, and tells the client at once';
  readonly #listener: PathManagerListener;
  readonly #known = new Map<number, Known>();

  private constructor(listener: PathManagerListener) {
    this.#listener = listener;
  }

  /** @throws {KernelError} if this host's kernel has no such path manager, or does not let us ask it. */
  static async open(): Promise<NetlinkBackend> {
    return Promise.resolve(new NetlinkBackend(new PathManagerListener()));
  }

  attend(pids: readonly number[]): void {
    this.#listener.attend(pids);
  }

  onChange(listener: () => void): void {
    this.#listener.onChange(listener);
  }

  limitSubflows(limits: SubflowLimits): void {
    this.#listener.limit(limits);
  }

  onExcess(listener: (excess: ExcessSubflows) => void): void {
    this.#listener.onExcess(listener);
  }

  async connections(pid: number): Promise<ServerSockets> {
    try {
      const known = this.#look(pid);
      return await Promise.resolve({
        connections: this.#listener
          .kept(
            pid,
            known.connections.map(({ connection }) => connection),
          )
          .map((connection) => {
            const caveat = caveatOf(connection, known);
            return caveat === undefined ? connection : { ...connection, caveat };
          }),
        plain: known.plain,
        problems: [],
      });
    } catch (error) {
      this.#known.delete(pid);
      throw explain(error, pid);
    }
  }

  setPriority(
    name: SubflowName,
    priority: Priority,
    { overridePeer = false }: PriorityOptions = {},
  ): Promise<PriorityResult> {
    let result: PriorityResult;
    try {
      result = this.#set(name, priority, overridePeer);
    } catch (error) {
      result = refused(explain(error, name.pid).message);
    }
    return Promise.resolve(result);
  }

  close(): Promise<void> {
    this.#known.clear();
    this.#listener.close();
    return Promise.resolve();
  }

  #look(pid: number): Known {
    const namespace = this.#listener.namespaces.of(pid);
    const last = this.#known.get(pid);
    const inodes = socketInodes(descriptors(pid));
    const where = serverPorts(namespace.diag, namespace.generic, this.#listener.family, inodes);
    const seen = lookAtServer(namespace.diag, pid, inodes, where, last);
    const userspace = new Map<number, boolean>();
    for (const { connection } of seen.connections) {
      const { token } = connection;
      const known = last?.userspace.get(token) ?? this.#isUserspace(namespace, token);
      if (known !== undefined) userspace.set(token, known);
    }
    const known: Known = { ...seen, namespace, userspace, set: new Map() };
    for (const [other, { namespace: its }] of this.#known) if (!its.holds(other)) this.#known.delete(other);
    this.#known.set(pid, known);
    this.#listener.saw(
      pid,
      [...seen.connections, ...seen.waiting].map(({ connection }) => connection),
      seen.ports,
    );
    return known;
  }

  #set(name: SubflowName, priority: Priority, overridePeer: boolean): PriorityResult {
    const known = this.#known.get(name.pid);
    const found = known && find(known, name);
    if (!found) return gone;
    const { namespace, userspace, set } = known;
    const { connection, socket } = found;
    const now = () => {
      const subflow = subflowNow(namespace.diag, socket);
      if (subflow?.token !== connection.token) return undefined;
      set.set(socket, subflow.ours);
      return subflow;
    };
    const isHeldBack = ({ peers }: SubflowInfo) =>
      overridePeer && priority === 'active' && peers === 'backup';
    const isOld = userspace.get(connection.token) === false;
    // What was seen to be otherwise, moments ago, is not looked at once more: the request names token and ends, so that it
    // reaches this subflow or none, and the look after it tells what came of it.
    if (isOld || (set.get(socket) ?? socket.mptcp?.ours) === priority) {
      const before = now();
      if (!before) return gone;
      if (before.ours === priority) {
        return isHeldBack(before) ? refused(HELD_BACK) : { outcome: 'unchanged', peerAsked: false };
      }
      if (isOld) return refused(OLD);
    }
    try {
      setPriority(namespace.generic, this.#listener.family, connection.token, socket, priority);
    } catch (error) {
      // The kernel has one answer for all that can be wrong with a request: the subflow may just have closed.
      if (!now()) return gone;
      throw error;
    }
    const after = now();
    if (!after) return gone;
    if (after.ours !== priority) return refused('the kernel took the request and changed nothing');
    return isHeldBack(after) ? refused(HELD_BACK) : { outcome: 'committed', peerAsked: true };
  }

  /** Undefined if it closed meanwhile, or this kernel does not say. */
  #isUserspace(namespace: NetworkNamespace, token: number): boolean | undefined {
    try {
      return isUserspace(namespace.generic, this.#listener.family, token);
    } catch {
      return undefined;
    }
  }
}

const gone: PriorityResult = { outcome: 'gone', peerAsked: false, reason: 'there is no such subflow' };

function refused(reason: string): PriorityResult {
  return { outcome: 'refused', peerAsked: false, reason };
}

/** A client can use one port for several connections, to several addresses of the server. */
function find(
  known: Known,
  { connection, local, remote }: SubflowName,
): { connection: Connection; socket: TcpSocket } | undefined {
  known.byPeer ??= indexByPeer(known.connections);
  for (const seen of known.byPeer.get(formatEndpoint(connection)) ?? []) {
    const socket = seen.sockets.find(
      (one) => isSameEndpoint(one.remote, remote) && isSameEndpoint(one.local, local),
    );
    if (socket) return { connection: seen.connection, socket };
  }
  return undefined;
}

function indexByPeer(connections: readonly SeenConnection[]): Map<string, SeenConnection[]> {
  const byPeer = new Map<string, SeenConnection[]>();
  for (const seen of connections) {
    const key = formatEndpoint(seen.connection.remote);
    const others = byPeer.get(key);
    if (others) others.push(seen);
    else byPeer.set(key, [seen]);
  }
  return byPeer;
}

function caveatOf({ token, subflows }: Connection, { userspace, namespace }: Known): string | undefined {
  if (userspace.get(token) === false) return OLD;
  return subflows.length < 2 && namespace.isEarly(token) ? EARLY : undefined;
}
