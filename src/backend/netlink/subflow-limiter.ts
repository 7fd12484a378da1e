import type { Connection } from '../../model/connection.js';
import type { ExcessSubflows, SubflowLimits } from '../../model/subflow-limits.js';
import { SubflowCloser, type LimitedNamespace } from './subflow-closer.js';
import { excessSubflows } from './excess.js';
import { ExcessReporter } from './excess-reporter.js';
import type { Family } from './family.js';
import type { FourTuple } from './path-manager.js';
import { EventType, type PathManagerEvent } from './pm-event.js';
import { subflowKey, type TrackedServer } from './tracked-servers.js';

/** Connections whose subflows cannot be closed that are remembered; of more, all are forgotten, and tried again. */
const MAX_REFUSED = 10_000;

/**
 * Closes the subflows that a connection has above its limit. The kernel has no limit of its own for connections in
 * userspace's hands: while somebody listens, it takes every MP_JOIN (net/mptcp/pm.c, mptcp_pm_allow_new_subflow).
 *
 * One that comes above the limit is closed as soon as its event is heard, without a look, so that a flood of them starts
 * none. What events alone could be wrong about (there were too many, or limits changed) the next look decides.
 */
export class SubflowLimiter {
  readonly #closer: SubflowCloser;
  readonly #reporter: ExcessReporter;
  #limits: SubflowLimits | undefined;
  /** By namespace, tokens of connections that the kernel closes no subflow of. */
  #refused = new WeakMap<LimitedNamespace, Set<number>>();

  /** @param lookAgain something can only be decided by a look. */
  constructor(family: Family, lookAgain: () => void) {
    this.#closer = new SubflowCloser(family, lookAgain);
    this.#reporter = new ExcessReporter();
  }

  onExcess(listener: (excess: ExcessSubflows) => void): void {
    this.#reporter.onExcess(listener);
  }

  /** The limits from now on; until the first ones there are none. */
  setLimits(limits: SubflowLimits, namespaces: Iterable<LimitedNamespace>): void {
    this.#limits = limits;
    const least = Math.min(limits.most, limits.mostUnclaimed);
    for (const namespace of namespaces) {
      for (const server of namespace.servers.all()) {
        for (const connection of server.connections) {
          if (connection.subflows.length > least) this.#trim(namespace, server, connection, limits);
        }
      }
    }
  }

  /**
   * A connection without the subflows that it has above its limit: they are being closed, and nothing is to be wished for
   * thousands of them meanwhile.
   */
  withoutExcess(namespace: LimitedNamespace, server: TrackedServer, connection: Connection): Connection {
    const limits = this.#limits;
    const limit = limits ? limitOf(server, connection, limits) : Infinity;
    if (connection.subflows.length <= limit || !this.#isClosable(namespace, connection)) return connection;
    const excess = new Set(excessSubflows(connection, limit, server.connectionBefore(connection.token)));
    return { ...connection, subflows: connection.subflows.filter((subflow) => !excess.has(subflow)) };
  }

  /** An event of a connection that is a server's. @returns whether it is news to whoever looks. */
  onEvent(
    namespace: LimitedNamespace,
    server: TrackedServer,
    connection: Connection,
    event: PathManagerEvent,
  ): boolean {
    if (event.type !== EventType.subflowEstablished && event.type !== EventType.subflowClosed) return true;
    const ends = event.fourTuple();
    if (!ends || server.isStale) return true;
    const subflows = server.subflows(connection);
    const key = subflowKey(ends);
    // one that was closed as soon as it came is not among them
    if (event.type === EventType.subflowClosed) return subflows.delete(key);
    const limits = this.#limits;
    if (
      limits &&
      !subflows.has(key) &&
      subflows.size >= limitOf(server, connection, limits) &&
      this.#isClosable(namespace, connection)
    ) {
      return !this.#close(namespace, server, connection, ends, limits);
    }
    subflows.add(key);
    return true;
  }

  close(): void {
    this.#closer.close();
    this.#reporter.close();
  }

  #trim(
    namespace: LimitedNamespace,
    server: TrackedServer,
    connection: Connection,
    limits: SubflowLimits,
  ): void {
    const limit = limitOf(server, connection, limits);
    if (connection.subflows.length <= limit || !this.#isClosable(namespace, connection)) return;
    const subflows = server.subflows(connection);
    for (const subflow of excessSubflows(connection, limit, server.connectionBefore(connection.token))) {
      const { local, remote } = subflow;
      if (!this.#close(namespace, server, connection, { local, remote }, limits)) return;
      subflows.delete(subflowKey(subflow));
    }
  }

  #isClosable(namespace: LimitedNamespace, { token }: Connection): boolean {
    return !this.#refused.get(namespace)?.has(token);
  }

  /** False if there is no room to remember it. */
  #close(
    namespace: LimitedNamespace,
    server: TrackedServer,
    connection: Connection,
    ends: FourTuple,
    limits: SubflowLimits,
  ): boolean {
    const { token, remote: client } = connection;
    return this.#closer.add({
      namespace,
      token,
      ends,
      onClosed: () => {
        this.#reporter.add({ pid: server.pid, client, token, limit: limitOf(server, connection, limits) });
      },
      onRefused: () => {
        const refused = this.#refused.get(namespace) ?? new Set();
        if (refused.size >= MAX_REFUSED) refused.clear();
        refused.add(token);
        this.#refused.set(namespace, refused);
      },
    });
  }
}

/** Of a connection that was there before anybody looked, nobody can say yet that no session claims it. */
function limitOf(
  server: TrackedServer,
  { token }: Connection,
  { most, mostUnclaimed, claimed }: SubflowLimits,
): number {
  return server.wasInFirstObservation(token) || claimed.get(server.pid)?.has(token) ? most : mostUnclaimed;
}
