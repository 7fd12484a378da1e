import { formatEndpoint, isSameEndpoint } from '../model/endpoint.js';
import type { Backend, NotTried, PriorityRequest, PriorityResult } from './backend.js';
import type { Announcement } from '../model/announcement.js';
import type { Connection, ServerSockets } from '../model/connection.js';
import type { ExcessSubflows, SubflowLimits } from '../model/subflow-limits.js';
import type { Priority, SubflowName } from '../model/subflow.js';
import { FallbackTimes } from './fallback-times.js';
import { setInOrder } from './in-order.js';
import { descriptors, socketInodes } from './netlink/descriptors.js';
import { subflowNow, type SubflowInfo, type TcpSocket } from './netlink/diag.js';
import { toKernelError } from './netlink/to-kernel-error.js';
import { PathManagerListener } from './netlink/listener.js';
import type { ObservedConnection } from './netlink/observe-sockets.js';
import type { NetworkNamespace } from './netlink/namespace.js';
import { isUserspacePm, setPriority } from './netlink/path-manager.js';
import { observeServer, type ServerObservation } from './netlink/observe-server.js';
import { serverPorts } from './netlink/server-ports.js';

/** The last observation of a server. */
interface LastObservation extends ServerObservation {
  readonly namespace: NetworkNamespace;
  /** By {@link formatEndpoint} of the meta-socket's peer. Built at the first use. */
  byPeer?: ReadonlyMap<string, readonly ObservedConnection[]>;
  /** By token: whether the userspace path manager manages the connection. This never changes for a connection. */
  readonly userspacePm: ReadonlyMap<number, boolean>;
  /** Our priority as read after it was set, which is later than this observation. */
  readonly setSince: Map<TcpSocket, Priority>;
}

const UNDER_KERNELS_PATH_MANAGER =
  "its priorities cannot be set, because it connected under the kernel's own path manager: set net.mptcp.path_manager = " +
  'userspace (before Linux 6.15 net.mptcp.pm_type = 1) in the network namespace of its server, and let it reconnect';
const CONNECTED_BEFORE_US =
  'it connected before subflowd started: the kernel refuses further subflows while no program on this host listens to its ' +
  'path manager; they come when it reconnects';

const CANNOT_OVERRIDE_PEER =
  'the client asks for backup, and netlink cannot override that: peer-backup = override needs backend = devmem';

/**
 * Observes priorities through sock_diag(7), and asks the kernel's userspace path manager to set them. It does both in the
 * network namespaces of the servers.
 */
export class NetlinkBackend implements Backend {
  readonly name = 'netlink';
  readonly notifiesPeer = true;
  readonly description = 'the kernel is asked to set each priority, and notifies the client at once';
  readonly #listener: PathManagerListener;
  readonly #last = new Map<number, LastObservation>();
  readonly #fallbackTimes = new FallbackTimes();

  private constructor(listener: PathManagerListener) {
    this.#listener = listener;
  }

  /** @throws {KernelError} if this kernel has no userspace path manager, or does not give us access to it. */
  static async open(): Promise<NetlinkBackend> {
    return Promise.resolve(new NetlinkBackend(new PathManagerListener()));
  }

  trackServers(pids: readonly number[]): void {
    this.#fallbackTimes.keepOnly(pids);
    this.#listener.trackServers(pids);
  }

  onChange(listener: () => void): void {
    this.#listener.onChange(listener);
  }

  limitSubflows(limits: SubflowLimits): void {
    this.#listener.setLimits(limits);
  }

  onExcess(listener: (excess: ExcessSubflows) => void): void {
    this.#listener.onExcess(listener);
  }

  announce(announcements: readonly Announcement[]): readonly string[] {
    return this.#listener.announce(announcements);
  }

  async connections(pid: number): Promise<ServerSockets> {
    try {
      const observation = this.#observe(pid);
      return await Promise.resolve({
        connections: this.#listener
          .withoutExcess(
            pid,
            observation.connections.map(({ connection }) => connection),
          )
          .map((connection) => {
            const caveat = caveatOf(connection, observation);
            return caveat === undefined ? connection : { ...connection, caveat };
          }),
        plain: this.#fallbackTimes.addTo(pid, observation.plain),
        problems: [],
      });
    } catch (error) {
      this.#last.delete(pid);
      throw toKernelError(error, pid);
    }
  }

  setPriorities(requests: readonly PriorityRequest[]): Promise<readonly (PriorityResult | NotTried)[]> {
    return Promise.resolve(
      setInOrder(requests, ({ name, priority, overridePeer = false }) => {
        try {
          return this.#set(name, priority, overridePeer);
        } catch (error) {
          return refused(toKernelError(error, name.pid).message);
        }
      }),
    );
  }

  close(): Promise<void> {
    this.#last.clear();
    this.#listener.close();
    return Promise.resolve();
  }

  #observe(pid: number): LastObservation {
    const namespace = this.#listener.namespaces.getOrOpen(pid);
    const last = this.#last.get(pid);
    const inodes = socketInodes(descriptors(pid));
    const where = serverPorts(namespace.diag, namespace.generic, this.#listener.family, inodes);
    const observed = observeServer(namespace.diag, pid, inodes, where, last);
    const userspacePm = new Map<number, boolean>();
    for (const { connection } of observed.connections) {
      const { token } = connection;
      const isUserspace = last?.userspacePm.get(token) ?? this.#isUserspace(namespace, token);
      if (isUserspace !== undefined) userspacePm.set(token, isUserspace);
    }
    const observation: LastObservation = { ...observed, namespace, userspacePm, setSince: new Map() };
    for (const [other, { namespace: its }] of this.#last) if (!its.contains(other)) this.#last.delete(other);
    this.#last.set(pid, observation);
    this.#listener.storeObservation(
      pid,
      [...observed.connections, ...observed.waiting].map(({ connection }) => connection),
      observed.ports,
    );
    return observation;
  }

  #set(name: SubflowName, priority: Priority, overridePeer: boolean): PriorityResult {
    const last = this.#last.get(name.pid);
    const found = last && find(last, name);
    if (!found) return GONE;
    const { namespace, userspacePm, setSince } = last;
    const { connection, socket } = found;
    const readNow = () => {
      const subflow = subflowNow(namespace.diag, socket);
      if (subflow?.token !== connection.token) return undefined;
      setSince.set(socket, subflow.ours);
      return subflow;
    };
    const isHeldBackByPeer = ({ peers }: SubflowInfo) =>
      overridePeer && priority === 'active' && peers === 'backup';
    const isUnderKernelsPathManager = userspacePm.get(connection.token) === false;
    // Skip the read before the request: a priority that differed just now still needs setting. The request names the token
    // and the endpoints, so it reaches this subflow or none, and the read after it shows the result.
    if (isUnderKernelsPathManager || (setSince.get(socket) ?? socket.mptcp?.ours) === priority) {
      const before = readNow();
      if (!before) return GONE;
      if (before.ours === priority) {
        return isHeldBackByPeer(before)
          ? refused(CANNOT_OVERRIDE_PEER)
          : { outcome: 'unchanged', isMpPrioRequested: false };
      }
      if (isUnderKernelsPathManager) return refused(UNDER_KERNELS_PATH_MANAGER);
    }
    try {
      setPriority(namespace.generic, this.#listener.family, connection.token, socket, priority);
    } catch (error) {
      // The kernel gives the same error for everything that can be wrong with a request. The subflow may just have closed.
      if (!readNow()) return GONE;
      throw error;
    }
    const after = readNow();
    if (!after) return GONE;
    if (after.ours !== priority) return refused('the kernel accepted the request and changed nothing');
    return isHeldBackByPeer(after)
      ? refused(CANNOT_OVERRIDE_PEER)
      : { outcome: 'committed', isMpPrioRequested: true };
  }

  /** Undefined if the connection closed meanwhile, or if this kernel does not show it. */
  #isUserspace(namespace: NetworkNamespace, token: number): boolean | undefined {
    try {
      return isUserspacePm(namespace.generic, this.#listener.family, token);
    } catch {
      return undefined;
    }
  }
}

const GONE: PriorityResult = {
  outcome: 'gone',
  isMpPrioRequested: false,
  reason: 'there is no such subflow',
};

function refused(reason: string): PriorityResult {
  return { outcome: 'refused', isMpPrioRequested: false, reason };
}

/** Finds a subflow by all of its name: one port of a client can have several connections, to several addresses of the server. */
function find(
  last: LastObservation,
  { connection, local, remote }: SubflowName,
): { connection: Connection; socket: TcpSocket } | undefined {
  last.byPeer ??= indexByPeer(last.connections);
  for (const observed of last.byPeer.get(formatEndpoint(connection)) ?? []) {
    const socket = observed.sockets.find(
      (one) => isSameEndpoint(one.remote, remote) && isSameEndpoint(one.local, local),
    );
    if (socket) return { connection: observed.connection, socket };
  }
  return undefined;
}

function indexByPeer(connections: readonly ObservedConnection[]): Map<string, ObservedConnection[]> {
  const byPeer = new Map<string, ObservedConnection[]>();
  for (const observed of connections) {
    const key = formatEndpoint(observed.connection.remote);
    const others = byPeer.get(key);
    if (others) others.push(observed);
    else byPeer.set(key, [observed]);
  }
  return byPeer;
}

function caveatOf(connection: Connection, { userspacePm, namespace }: LastObservation): string | undefined {
  if (userspacePm.get(connection.token) === false) return UNDER_KERNELS_PATH_MANAGER;
  return namespace.mayRefuseJoins(connection) ? CONNECTED_BEFORE_US : undefined;
}
