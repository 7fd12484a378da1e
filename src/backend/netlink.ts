import { formatEndpoint, isSameEndpoint } from '../model/endpoint.js';
import type { OpenOptions } from './backends.js';
import type { Backend, NotTried, PriorityRequest, PriorityResult } from './backend.js';
import type { Announcement } from '../model/announcement.js';
import type { Connection, ServerSockets } from '../model/connection.js';
import type { ExcessSubflows, SubflowLimits } from '../model/subflow-limits.js';
import type { SubflowName } from '../model/subflow.js';
import { FallbackTimes } from './fallback-times.js';
import { descriptors, socketInodes } from './netlink/descriptors.js';
import { toKernelError } from './netlink/to-kernel-error.js';
import { PathManagerListener } from './netlink/listener.js';
import type { ObservedConnection } from './netlink/observe-sockets.js';
import type { NetworkNamespace } from './netlink/namespace.js';
import { isUserspacePm } from './netlink/path-manager.js';
import { observeServer, type ServerObservation } from './netlink/observe-server.js';
import { serverPorts } from './netlink/server-ports.js';
import {
  setInPasses,
  UNDER_KERNELS_PATH_MANAGER,
  type FoundSubflow,
  type ObservedServer,
} from './netlink/set-priorities.js';

/** The last observation of a server. */
interface LastObservation extends ServerObservation, ObservedServer {
  readonly namespace: NetworkNamespace;
  /** By {@link formatEndpoint} of the meta-socket's peer. Built at the first use. */
  byPeer?: ReadonlyMap<string, readonly ObservedConnection[]>;
}

const CONNECTED_BEFORE_US =
  'it connected before subflowd started: the kernel refuses further subflows while no program on this host listens to its ' +
  'path manager; they come when it reconnects';

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
  static async open({ wasListening }: OpenOptions = {}): Promise<NetlinkBackend> {
    return Promise.resolve(new NetlinkBackend(new PathManagerListener(wasListening)));
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
      setInPasses(requests, this.#listener.family, ({ name }) => {
        const last = this.#last.get(name.pid);
        return last && find(last, name);
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

  /** Undefined if the connection closed meanwhile, or if this kernel does not show it. */
  #isUserspace(namespace: NetworkNamespace, token: number): boolean | undefined {
    try {
      return isUserspacePm(namespace.generic, this.#listener.family, token);
    } catch {
      return undefined;
    }
  }
}

/** Finds a subflow by all of its name: one port of a client can have several connections, to several addresses of the server. */
function find(last: LastObservation, { connection, local, remote }: SubflowName): FoundSubflow | undefined {
  last.byPeer ??= indexByPeer(last.connections);
  for (const observed of last.byPeer.get(formatEndpoint(connection)) ?? []) {
    const socket = observed.sockets.find(
      (one) => isSameEndpoint(one.remote, remote) && isSameEndpoint(one.local, local),
    );
    if (socket) return { server: last, connection: observed.connection, socket };
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
