import { formatEndpoint } from '../../model/endpoint.js';
import type { Connection } from '../../model/connection.js';
import type { FourTuple } from './path-manager.js';

/** A server of a network namespace, and what the last look at it showed. */
export class TrackedServer {
  /** Ports of this host that its connections are on; undefined: not known, they may be on any. */
  ports: ReadonlySet<number> | undefined;
  /** At the last look; at the one before it. */
  #connections: readonly Connection[] = [];
  #before: readonly Connection[] = [];
  #byToken: Map<number, Connection> | undefined;
  #beforeByToken: Map<number, Connection> | undefined;
  /** Tokens of the first look, whose connections began before anybody looked; undefined before it. */
  #first: ReadonlySet<number> | undefined;
  /** Subflows of a connection that events spoke of since the look, by token: as they are with those events. */
  readonly #subflows = new Map<number, Set<string>>();
  /** Events were lost since the look. */
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

  /** Whether it was looked at: its ports are then what the last look found. */
  get isObserved(): boolean {
    return this.#first !== undefined;
  }

  get connections(): readonly Connection[] {
    return this.#connections;
  }

  connection(token: number): Connection | undefined {
    return (this.#byToken ??= byToken(this.#connections)).get(token);
  }

  /** At the look before the last one. */
  connectionBefore(token: number): Connection | undefined {
    return (this.#beforeByToken ??= byToken(this.#before)).get(token);
  }

  /** Whether a connection was there at the first look. */
  wasInFirstObservation(token: number): boolean {
    return this.#first?.has(token) ?? false;
  }

  /** The subflows that a connection has by the last look and what events said since, each by {@link subflowKey}. */
  subflows(connection: Connection): Set<string> {
    const known = this.#subflows.get(connection.token);
    if (known) return known;
    const keys = new Set(connection.subflows.map(subflowKey));
    this.#subflows.set(connection.token, keys);
    return keys;
  }
}

/** The servers in one network namespace, and so which of its events concern us. */
export class TrackedServers {
  readonly #servers = new Map<number, TrackedServer>();

  getOrAdd(pid: number): TrackedServer {
    const get = this.#servers.get(pid);
    if (get) return get;
    const server = new TrackedServer(pid);
    this.#servers.set(pid, server);
    return server;
  }

  known(pid: number): TrackedServer | undefined {
    return this.#servers.get(pid);
  }

  /** Forgets those that are not among these. */
  keepOnly(pids: ReadonlySet<number>): void {
    for (const pid of this.#servers.keys()) if (!pids.has(pid)) this.#servers.delete(pid);
  }

  *all(): Generator<TrackedServer> {
    yield* this.#servers.values();
  }

  /** Whether what happens on a port of this host may be a server's. */
  mayUsePort(port: number): boolean {
    for (const { ports } of this.#servers.values()) if (ports?.has(port) ?? true) return true;
    return false;
  }

  /** The server that has a connection of this token, as the last look showed. */
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

/** Names a subflow among those of one connection. */
export function subflowKey({ local, remote }: FourTuple): string {
  return `${formatEndpoint(local)} ${formatEndpoint(remote)}`;
}

function byToken(connections: readonly Connection[]): Map<number, Connection> {
  return new Map(connections.map((connection) => [connection.token, connection]));
}
