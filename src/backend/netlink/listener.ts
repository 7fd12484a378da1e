import type { Connection } from '../../model/connection.js';
import type { Announcement } from '../../model/announcement.js';
import type { ExcessSubflows, SubflowLimits } from '../../model/subflow-limits.js';
import { Announcer } from './announcer.js';
import { descriptors, socketInodes } from './descriptors.js';
import { ChangeNotifier } from './change-notifier.js';
import type { EventSink } from './events.js';
import { toKernelError } from './to-kernel-error.js';
import type { Family } from './family.js';
import { SubflowLimiter } from './subflow-limiter.js';
import { NetworkNamespace } from './namespace.js';
import { NetworkNamespaces } from './namespaces.js';
import { findPathManager } from './path-manager.js';
import { serverPorts } from './server-ports.js';

/**
 * Listens to the kernel's path manager in our own network namespace and in those of the servers. It reports changes that
 * concern a server, and closes subflows above the limit of their connection. Connections of other processes in these namespaces
 * do not cause observations.
 */
export class PathManagerListener {
  readonly family: Family;
  readonly namespaces: NetworkNamespaces;
  readonly #limiter: SubflowLimiter;
  readonly #announcer: Announcer;
  readonly #notifier = new ChangeNotifier(() => {
    this.#onChange();
  });
  #onChange: () => void = () => undefined;

  /**
   * @param wasListening whether somebody has listened without a break before, so that no connection had to refuse joins.
   * @throws {KernelError} if this kernel has no path manager for userspace, or does not let us listen to it.
   */
  constructor(wasListening = false) {
    try {
      const own = NetworkNamespace.openFor('self');
      try {
        this.family = findPathManager(own.generic);
      } finally {
        own.close();
      }
      this.#limiter = new SubflowLimiter(this.family, () => {
        this.#notifier.notify();
      });
      this.#announcer = new Announcer(this.family, (pid) => this.namespaces.getOrOpen(pid).generic);
      this.namespaces = new NetworkNamespaces(this.family, wasListening, (namespace) =>
        this.#sinkOf(namespace),
      );
    } catch (error) {
      throw toKernelError(error);
    }
  }

  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  onExcess(listener: (excess: ExcessSubflows) => void): void {
    this.#limiter.onExcess(listener);
  }

  /** Tracks these servers, also those without sessions. Forgets all others. */
  trackServers(pids: readonly number[]): void {
    for (const pid of pids) {
      try {
        const { servers } = this.namespaces.getOrOpen(pid);
        const server = servers.getOrAdd(pid);
        if (!server.isObserved) server.ports ??= this.#portsOf(pid);
      } catch {
        // the next observation of this server throws the reason
      }
    }
    const wanted = new Set(pids);
    for (const { servers } of this.namespaces.all()) servers.keepOnly(wanted);
  }

  /**
   * Stores an observation of a server.
   * @param connections also those that the process has not accepted yet.
   * @param ports local ports of its connections; undefined: not known, any port is possible.
   */
  storeObservation(
    pid: number,
    connections: readonly Connection[],
    ports: ReadonlySet<number> | undefined,
  ): void {
    this.namespaces.getOrOpen(pid).servers.getOrAdd(pid).storeObservation(connections, ports);
  }

  /** Stores an observation of another backend, which knows no listening ports. They are read if a new port appears. */
  storeForeignObservation(pid: number, connections: readonly Connection[]): void {
    try {
      const server = this.namespaces.getOrOpen(pid).servers.getOrAdd(pid);
      const isKnown = connections.every(({ local }) => server.ports?.has(local.port));
      const ports = isKnown ? server.ports : this.#portsOf(pid);
      server.storeObservation(
        connections,
        ports && new Set([...ports, ...connections.map(({ local }) => local.port)]),
      );
    } catch {
      // The process is gone or its namespace cannot be entered: there are no events of it.
    }
  }

  /** The connections of the last observation, each without its subflows above the limit. */
  withoutExcess(pid: number, connections: readonly Connection[]): readonly Connection[] {
    for (const namespace of this.namespaces.all()) {
      const server = namespace.servers.known(pid);
      if (server)
        return connections.map((connection) => this.#limiter.withoutExcess(namespace, server, connection));
    }
    return connections;
  }

  setLimits(limits: SubflowLimits): void {
    this.#limiter.setLimits(limits, this.namespaces.all());
  }

  /** See {@link Backend.announce}. */
  announce(announcements: readonly Announcement[]): readonly string[] {
    return this.#announcer.announce(announcements);
  }

  close(): void {
    this.#limiter.close();
    this.#notifier.close();
    this.namespaces.close();
  }

  #portsOf(pid: number): ReadonlySet<number> | undefined {
    const { diag, generic } = this.namespaces.getOrOpen(pid);
    return serverPorts(diag, generic, this.family, socketInodes(descriptors(pid))).ports;
  }

  #sinkOf(namespace: NetworkNamespace): EventSink {
    const { servers } = namespace;
    return {
      onEvent: (event) => {
        const { token, port } = event;
        const found = token === undefined ? undefined : servers.findConnection(token);
        const isChange = found
          ? this.#limiter.onEvent(namespace, found.server, found.connection, event)
          : port !== undefined && servers.mayUsePort(port);
        if (isChange) this.#notifier.notify();
      },
      onLost: () => {
        for (const server of servers.all()) server.isStale = true;
        this.#notifier.notify();
      },
    };
  }
}
