import { formatEndpoint, type FourTuple } from '../../model/endpoint.js';
import type { Connection } from '../../model/connection.js';

/** A server in a network namespace, with its last observation. */
export class TrackedServer {
  /** Local ports of its connections; undefined: not known, any port is possible. */
  ports: ReadonlySet<number> | undefined;
  /** Of the last observation. */
  #connections: readonly Connection[] = [];
  /** Of the observation before it. */
  #before: readonly Connection[] = [];
  #byToken: Map<number, Connection> | undefined;
  #beforeByToken: Map<number, Connection> | undefined;
  /** Tokens of the first observation; undefined before it. Nobody knows when these connections began. */
  #first: ReadonlySet<number> | undefined;
  /** By token: the subflows of a connection after the events since the last observation. */
  readonly #subflows = new Map<number, Set<string>>();
  /** Whether events were lost since the last observation. */
  isStale = false;

  constructor(readonly pid: number) {}

  storeObservation(connections: readonly Connection[], ports: ReadonlySet<number> | undefined): void {
    this.#first ??= new Set(connections.map(({ token }) => token));
    [this.#before, this.#beforeByToken] = [this.#connections, this.#byToken];
    this.#connections = connections;
    this.#byToken = undefined;
    this.ports = ports;
    this.#subflows.clear();
    this.isStale = false;
  }

  /** Whether there was an observation; then its ports are those of the last one. */
  get isObserved(): boolean {
    return this.#first !== undefined;
  }

  get connections(): readonly Connection[] {
    return this.#connections;
  }

  connection(token: number): Connection | undefined {
    return (this.#byToken ??= byToken(this.#connections)).get(token);
  }

  /** A connection in the observation before the last one. */
  connectionBefore(token: number): Connection | undefined {
    return (this.#beforeByToken ??= byToken(this.#before)).get(token);
  }

  /** Whether a connection was in the first observation. */
  wasInFirstObservation(token: number): boolean {
    return this.#first?.has(token) ?? false;
  }

  /** The {@link subflowKey} of each subflow of a connection, by the last observation and the events since then. */
  subflows(connection: Connection): Set<string> {
    const known = this.#subflows.get(connection.token);
    if (known) return known;
    const keys = new Set(connection.subflows.map(subflowKey));
    this.#subflows.set(connection.token, keys);
    return keys;
  }
}

/** The servers in one network namespace. They decide which events of it concern us. */
export class TrackedServers {
  readonly #servers = new Map<number, TrackedServer>();

  getOrAdd(pid: number): TrackedServer {
    const known = this.#servers.get(pid);
    if (known) return known;
    const server = new TrackedServer(pid);
    this.#servers.set(pid, server);
    return server;
  }

  known(pid: number): TrackedServer | undefined {
    return this.#servers.get(pid);
  }

  /** Forgets all servers but these. */
  keepOnly(pids: ReadonlySet<number>): void {
    for (const pid of this.#servers.keys()) if (!pids.has(pid)) this.#servers.delete(pid);
  }

  *all(): Generator<TrackedServer> {
    yield* this.#servers.values();
  }

  /** Whether a server may have connections on this local port. */
  mayUsePort(port: number): boolean {
    for (const { ports } of this.#servers.values()) if (ports?.has(port) ?? true) return true;
    return false;
  }

  /** The server that had a connection with this token in the last observation. */
  findConnection(
    token: number,
  ): { readonly server: TrackedServer; readonly connection: Connection } | undefined {
    for (const server of this.#servers.values()) {
      const connection = server.connection(token);
      if (connection) return { server, connection };
    }
    return undefined;
  }
}

/** A text that identifies a subflow among those of one connection. */
export function subflowKey({ local, remote }: FourTuple): string {
  return `${formatEndpoint(local)} ${formatEndpoint(remote)}`;
}

function byToken(connections: readonly Connection[]): Map<number, Connection> {
  return new Map(connections.map((connection) => [connection.token, connection]));
}
