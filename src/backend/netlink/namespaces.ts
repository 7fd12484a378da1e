import type { EventSink } from './events.js';
import type { Family } from './family.js';
import { NetworkNamespace } from './namespace.js';

/** Time between two checks for namespaces without servers, milliseconds. */
const CLOSE_UNUSED_MS = 5_000;

/** The network namespaces of the servers. Each is opened once. */
export class NetworkNamespaces {
  readonly #own = NetworkNamespace.openFor('self');
  readonly #byPid = new Map<number, NetworkNamespace>();
  readonly #family: Family;
  readonly #sinkOf: (namespace: NetworkNamespace) => EventSink;
  readonly #timer: NodeJS.Timeout;

  /** Begins to listen in our own namespace. @throws {Error} EPERM without CAP_NET_ADMIN. */
  constructor(
    family: Family,
    private readonly wasListening: boolean,
    sinkOf: (namespace: NetworkNamespace) => EventSink,
  ) {
    this.#family = family;
    this.#sinkOf = sinkOf;
    this.#own.listen(family, sinkOf(this.#own), wasListening);
    this.#timer = setInterval(() => {
      this.#closeUnused();
    }, CLOSE_UNUSED_MS).unref();
  }

  /**
   * The network namespace of a process. Begins to listen in a new one.
   * @throws {Error} if the process is gone or its namespace cannot be entered.
   */
  getOrOpen(pid: number): NetworkNamespace {
    const known = this.all().find((one) => one.contains(pid));
    const namespace = known ?? this.#open(pid);
    this.#byPid.set(pid, namespace);
    return namespace;
  }

  /** All open namespaces. */
  all(): NetworkNamespace[] {
    return [...new Set([this.#own, ...this.#byPid.values()])];
  }

  close(): void {
    clearInterval(this.#timer);
    for (const namespace of this.all()) namespace.close();
    this.#byPid.clear();
  }

  #open(pid: number): NetworkNamespace {
    const namespace = NetworkNamespace.openFor(pid);
    try {
      namespace.listen(this.#family, this.#sinkOf(namespace), this.wasListening);
      return namespace;
    } catch (error) {
      namespace.close();
      throw error;
    }
  }

  /** Closes namespaces without servers: the kernel keeps an open namespace and its interfaces after its last process ended. */
  #closeUnused(): void {
    const before = new Set(this.#byPid.values());
    for (const [pid, namespace] of this.#byPid) if (!namespace.contains(pid)) this.#byPid.delete(pid);
    const kept = new Set([this.#own, ...this.#byPid.values()]);
    for (const namespace of before) if (!kept.has(namespace)) namespace.close();
  }
}
