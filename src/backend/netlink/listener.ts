import type { Connection } from '../../model/connection.js';
import type { ExcessSubflows, SubflowLimits } from '../../model/subflow-limits.js';
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
 * Listens to the kernel's path manager in our own network namespace and in those of the servers: what concerns a server is
 * news, and what a connection has above its limit is closed. Whoever else is in these namespaces starts no look.
 */
export class PathManagerListener {
  readonly family: Family;
  readonly namespaces: NetworkNamespaces;
  readonly #limiter: SubflowLimiter;
  readonly #notifier = new ChangeNotifier(() => {
    this.#onChange();
  });
  #onChange: () => void = () => undefined;

  /** @throws {KernelError} if this host's kernel has no such path manager, or does not let us listen. */
  constructor() {
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
      this.namespaces = new NetworkNamespaces(this.family, (namespace) => this.#sinkOf(namespace));
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

  /** Servers, though nobody may be connected yet; what is known of others is forgotten. */
  trackServers(pids: readonly number[]): void {
    for (const pid of pids) {
      try {
        const { servers } = this.namespaces.getOrOpen(pid);
        const server = servers.getOrAdd(pid);
        if (!server.isObserved) server.ports ??= this.#portsOf(pid);
      } catch {
        // looking at it will say why
      }
    }
    const wanted = new Set(pids);
    for (const { servers } of this.namespaces.all()) servers.keepOnly(wanted);
  }

  /**
   * What a look at a server showed.
   * @param connections those too that the process has not accepted yet.
   * @param ports of this host that its connections are on; undefined: not known, they may be on any.
   */
  storeObservation(
    pid: number,
    connections: readonly Connection[],
    ports: ReadonlySet<number> | undefined,
  ): void {
    this.namespaces.getOrOpen(pid).servers.getOrAdd(pid).storeObservation(connections, ports);
  }

  /** The same of a look that does not ask the kernel's sockets: ports are looked up where they are not those of before. */
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
      // its namespace cannot be entered, or it is gone: nothing is heard of it then
    }
  }

  /** Connections as the last look showed them, each without the subflows that are above its limit. */
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
        const isNews = found
          ? this.#limiter.onEvent(namespace, found.server, found.connection, event)
          : port !== undefined && servers.mayUsePort(port);
        if (isNews) this.#notifier.notify();
      },
      onLost: () => {
        for (const server of servers.all()) server.isStale = true;
        this.#notifier.notify();
      },
    };
  }
}
