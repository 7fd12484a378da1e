import type { Connection } from '../../model/connection.js';
import type { FourTuple } from '../../model/endpoint.js';
import type { Subflow } from '../../model/subflow.js';
import type { ExcessSubflows, SubflowLimits } from '../../model/subflow-limits.js';
import { excessSubflows } from './excess.js';
import { ExcessReporter } from './excess-reporter.js';
import type { Family } from './family.js';
import { EventType, type PathManagerEvent } from './pm-event.js';
import { SubflowCloser, type LimitedNamespace } from './subflow-closer.js';
import { subflowKey, type TrackedServer } from './tracked-servers.js';

/**
 * Largest number of connections of a namespace that are remembered because the kernel refuses to close their subflows. If
 * there are more, all are forgotten and tried again.
 */
const MAX_REFUSED = 10_000;

/**
 * Closes the subflows that a connection has above its limit. The kernel has no limit for connections of the userspace path
 * manager: while a socket listens to its events, it accepts every MP_JOIN (net/mptcp/pm.c, mptcp_pm_allow_new_subflow).
 *
 * A new subflow above the limit is closed when its event arrives. This needs no observation, so a flood of them causes none.
 * If events were lost or limits changed, the next observation finds the subflows above the limit.
 */
export class SubflowLimiter {
  readonly #closer: SubflowCloser;
  readonly #reporter: ExcessReporter;
  #limits: SubflowLimits | undefined;
  /** By namespace: tokens of connections whose subflows the kernel refuses to close. */
  #refused = new WeakMap<LimitedNamespace, Set<number>>();

  /** @param requestObservation called when only an observation can find the subflows to close. */
  constructor(family: Family, requestObservation: () => void) {
    this.#closer = new SubflowCloser(family, requestObservation);
    this.#reporter = new ExcessReporter();
  }

  onExcess(listener: (excess: ExcessSubflows) => void): void {
    this.#reporter.onExcess(listener);
  }

  /** Sets the limits from now on, and closes the subflows above them. Before the first call there are no limits. */
  setLimits(limits: SubflowLimits, namespaces: Iterable<LimitedNamespace>): void {
    this.#limits = limits;
    const smallest = Math.min(limits.withSession, limits.withoutSession);
    for (const namespace of namespaces) {
      for (const server of namespace.servers.all()) {
        for (const connection of server.connections) {
          if (connection.subflows.length > smallest) this.#closeExcess(namespace, server, connection, limits);
        }
      }
    }
  }

  /**
   * A connection without its subflows above the limit. They are being closed, so no priorities are set for them: there may
   * be thousands.
   */
  withoutExcess(namespace: LimitedNamespace, server: TrackedServer, connection: Connection): Connection {
    const limits = this.#limits;
    const limit = limits ? limitOf(server, connection, limits) : Infinity;
    if (connection.subflows.length <= limit || !this.#isClosable(namespace, connection)) return connection;
    const excess = new Set(this.#excessOf(server, connection, limit));
    return { ...connection, subflows: connection.subflows.filter((subflow) => !excess.has(subflow)) };
  }

  /** Handles an event of a server's connection. @returns whether it makes an observation necessary. */
  onEvent(
    namespace: LimitedNamespace,
    server: TrackedServer,
    connection: Connection,
    event: PathManagerEvent,
  ): boolean {
    if (event.type !== EventType.subflowEstablished && event.type !== EventType.subflowClosed) return true;
    const fourTuple = event.fourTuple();
    if (!fourTuple || server.isStale) return true;
    const subflows = server.subflows(connection);
    const key = subflowKey(fourTuple);
    // A subflow that was above the limit from the start is not in the set, and no observation ever showed it.
    if (event.type === EventType.subflowClosed) return subflows.delete(key);
    const limits = this.#limits;
    const isAboveLimit = limits && !subflows.has(key) && subflows.size >= limitOf(server, connection, limits);
    if (isAboveLimit && this.#isClosable(namespace, connection)) {
      return !this.#close(namespace, server, connection, fourTuple, limits);
    }
    subflows.add(key);
    return true;
  }

  close(): void {
    this.#closer.close();
    this.#reporter.close();
  }

  #closeExcess(
    namespace: LimitedNamespace,
    server: TrackedServer,
    connection: Connection,
    limits: SubflowLimits,
  ): void {
    const limit = limitOf(server, connection, limits);
    if (connection.subflows.length <= limit || !this.#isClosable(namespace, connection)) return;
    const subflows = server.subflows(connection);
    for (const subflow of this.#excessOf(server, connection, limit)) {
      const { local, remote } = subflow;
      if (!this.#close(namespace, server, connection, { local, remote }, limits)) return;
      subflows.delete(subflowKey(subflow));
    }
  }

  #excessOf(server: TrackedServer, connection: Connection, limit: number): readonly Subflow[] {
    const { token } = connection;
    return excessSubflows(connection, limit, server.connectionBefore(token), ({ local, remote }) =>
      this.#closer.isQueued({ token, fourTuple: { local, remote } }),
    );
  }

  #isClosable(namespace: LimitedNamespace, { token }: Connection): boolean {
    return !this.#refused.get(namespace)?.has(token);
  }

  /** Adds a subflow to those that are being closed. @returns false if the queue is full. */
  #close(
    namespace: LimitedNamespace,
    server: TrackedServer,
    connection: Connection,
    fourTuple: FourTuple,
    limits: SubflowLimits,
  ): boolean {
    const { token, remote: client } = connection;
    return this.#closer.add({
      namespace,
      token,
      fourTuple,
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

/**
 * How many subflows a connection may have. Those of the first observation have the larger limit, because OpenVPN may not
 * have reported their sessions yet.
 */
function limitOf(
  server: TrackedServer,
  { token }: Connection,
  { withSession, withoutSession, sessionTokens }: SubflowLimits,
): number {
  return server.wasInFirstObservation(token) || sessionTokens.get(server.pid)?.has(token)
    ? withSession
    : withoutSession;
}
