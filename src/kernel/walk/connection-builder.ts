import type { Connection, PlainPeer } from '../../model/connection.js';
import { formatEndpoint, isSameFourTuple, type Endpoint } from '../../model/endpoint.js';
import type { Subflow } from '../../model/subflow.js';
import { GuardTable, type GuardSequence } from '../commit/guard-table.js';
import type { SchedulerHonours } from '../commit/priority-bits.js';
import type { Trail } from '../commit/trail.js';
import type { CounterTable } from './counter-table.js';
import { interpretPriorities } from './interpret-priorities.js';
import type {
  LocatedConnection,
  LocatedConnections,
  LocatedSubflow,
  SubflowLocation,
} from './subflow-location.js';
import type { SocketFile } from './sockets.js';
import type { MetaSocket, WalkResult } from './walk-result.js';

/** A subflow, as the last walk found it. */
interface LastSubflow extends LocatedSubflow {
  /** The number of nodes before it on its list. */
  depth: number;
}

/** A connection, as the last walk found it. Its nodes are those from `first` up to `end`, without `end` itself. */
interface LastConnection {
  readonly located: LocatedConnection;
  readonly first: number;
  readonly end: number;
}

/**
 * Makes connections from the walks of one server. What did not change since the last walk stays the same object, so that
 * callers can compare objects, and guards that were made for a subflow stay with it.
 */
export class ConnectionBuilder {
  /** The subflows of the last walk, by node. */
  #lastSubflows: (LastSubflow | undefined)[] = [];
  /** The connections of the last walk, by meta-socket. */
  #lastConnections: (LastConnection | undefined)[] = [];
  /** The subflows of the last walk, by context. Made only if a subflow has another node than before, and only for one walk. */
  #lastByContext: Map<bigint, LastSubflow> | undefined;
  #guardTable = new GuardTable();
  /** Subflows, by the objects that were reported as their remote endpoints. */
  readonly #byRemote = new WeakMap<Endpoint, LastSubflow>();

  constructor(
    private readonly pid: number,
    private readonly schedulerHonours: SchedulerHonours,
  ) {}

  /**
   * Makes the connections of a walk.
   * @param problems receives a message for each connection that cannot be used.
   * @param plain receives the connections that fell back to TCP.
   */
  build(walk: WalkResult, problems: string[], plain: PlainPeer[]): LocatedConnections {
    const { metas, metaEndpoints, lists } = walk;
    const subflows = new Array<LastSubflow | undefined>(lists.nodes.length);
    const connections = new Array<LastConnection | undefined>(metas.length);
    this.#lastByContext = undefined;
    for (const [meta, { file, row }] of metas.entries()) {
      const last = this.#lastConnections[meta];
      if (last && this.#isUnchanged(last, walk, meta)) {
        for (let node = last.first; node < last.end; node++) subflows[node] = this.#lastSubflows[node];
        connections[meta] = last;
        continue;
      }
      const remote = metaEndpoints.remote(row);
      const [first, end] = [lists.starts[meta] as number, lists.starts[meta + 1] as number];
      const problem = lists.broken.get(meta) ?? walk.problemOf(meta);
      if (problem !== undefined) problems.push(`fd ${file.fd} (${formatEndpoint(remote)}): ${problem}`);
      else if (walk.isPlain(meta, first, end)) plain.push({ pid: this.pid, remote });
      else connections[meta] = this.#locateConnection(walk, meta, subflows);
    }
    this.#lastSubflows = subflows;
    this.#lastConnections = connections;
    this.#lastByContext = undefined;
    return { connections: connections.flatMap((each) => (each ? [each.located] : [])), plain, problems };
  }

  /** Updates the connections of the last walk, if nothing but counters changed since then. */
  updateCounters(counters: CounterTable): void {
    for (const connection of this.#lastConnections) {
      if (!connection) continue;
      const { located, first, end } = connection;
      let isUnchanged = true;
      for (let node = first; node < end; node++) {
        const last = this.#lastSubflows[node];
        if (!last || counters.isUnchanged(node)) continue;
        last.subflow = counters.addTo(last.subflow, node);
        isUnchanged = false;
      }
      if (isUnchanged) continue;
      const { pid, remote, local, token } = located.connection;
      located.connection = { pid, remote, local, token, subflows: located.subflows.map(subflowOf) };
    }
  }

  /** See {@link Walk.addGuards}. */
  addGuards(located: LocatedSubflow, trail: Trail, target: bigint): GuardSequence {
    const words = trail.words(target);
    if (!this.#guardTable.hasRoom(words.length)) {
      const used = this.#lastSubflows.reduce((sum, last) => sum + (last?.guards?.length ?? 0), 0);
      // The other words belong to subflows that closed, or whose guards failed. To start again is simpler than to reuse those
      // words.
      if (used < this.#guardTable.length / 2) this.dropGuards();
    }
    return (located.guards = this.#guardTable.add(trail, words));
  }

  /** Removes the guards of all subflows. The next commit to each of them makes new ones. */
  dropGuards(): void {
    for (const last of this.#lastSubflows) if (last) last.guards = undefined;
    this.#guardTable = new GuardTable();
  }

  /** See {@link Walk.findByRemote}. */
  findByRemote(remote: Endpoint): LocatedSubflow | undefined {
    return this.#byRemote.get(remote);
  }

  /** See {@link Walk.forgetRemote}. */
  forgetRemote(remote: Endpoint): void {
    this.#byRemote.delete(remote);
  }

  /** Whether a connection has the same rows as at the last walk, and none of them changed. */
  #isUnchanged(last: LastConnection, walk: WalkResult, meta: number): boolean {
    const { metas, metaEndpoints, lists, endpoints, counters } = walk;
    const { file, row } = metas[meta] as MetaSocket;
    const isMetaUnchanged =
      last.located.file === file &&
      last.first === lists.starts[meta] &&
      last.end === lists.starts[meta + 1] &&
      metaEndpoints.isUnchanged(row) &&
      walk.isMetaUnchanged(meta) &&
      !lists.broken.has(meta);
    if (!isMetaUnchanged) return false;
    for (let node = last.first; node < last.end; node++) {
      if (!walk.isNodeUnchanged(node) || !endpoints.isUnchanged(node) || !counters.isUnchanged(node))
        return false;
    }
    return true;
  }

  /** Makes a connection. @param byNode receives its subflows, each at its node. */
  #locateConnection(walk: WalkResult, meta: number, byNode: (LastSubflow | undefined)[]): LastConnection {
    const { metas, metaEndpoints, lists, endpoints } = walk;
    const metaSocket = metas[meta] as MetaSocket;
    const { file, row } = metaSocket;
    const [first, end] = [lists.starts[meta] as number, lists.starts[meta + 1] as number];
    const subflows: LastSubflow[] = [];
    for (let node = first; node < end; node++) {
      if (!endpoints.isEstablished(node) || !walk.isSubflow(node, meta)) continue;
      const subflow = this.#updateOrLocate(walk, metaSocket, node, node - first);
      byNode[node] = subflow;
      subflows.push(subflow);
    }
    const connection: Connection = {
      pid: this.pid,
      remote: metaEndpoints.remote(row),
      local: metaEndpoints.local(row),
      token: walk.token(meta),
      subflows: subflows.map(subflowOf),
    };
    return { located: { connection, file, subflows }, first, end };
  }

  /** Updates the counters of a subflow of the last walk if nothing else changed, and otherwise locates the subflow anew. */
  #updateOrLocate(walk: WalkResult, metaSocket: MetaSocket, node: number, depth: number): LastSubflow {
    const { endpoints, counters, metaEndpoints } = walk;
    const { file, row } = metaSocket;
    const last = this.#lastSubflows[node];
    const isUnchanged =
      last?.file === file &&
      last.depth === depth &&
      last.connection.local === metaEndpoints.local(row) &&
      last.connection.remote === metaEndpoints.remote(row) &&
      last.local === endpoints.local(node) &&
      last.remote === endpoints.remote(node) &&
      walk.isNodeUnchanged(node) &&
      // the node before has the pointer to this one
      (depth === 0 || walk.isNodeUnchanged(node - 1));
    if (!isUnchanged) return this.#locateSubflow(walk, metaSocket, node, depth);
    if (!counters.isUnchanged(node)) last.subflow = counters.addTo(last.subflow, node);
    return last;
  }

  #locateSubflow(walk: WalkResult, { file, row }: MetaSocket, node: number, depth: number): LastSubflow {
    const { lists, endpoints, counters, metaEndpoints } = walk;
    const location: SubflowLocation = {
      file,
      context: walk.contexts[node] as bigint,
      socket: walk.socks[node] as bigint,
      node: lists.nodes[node] as bigint,
      link: lists.links[node] as bigint,
      local: endpoints.local(node),
      remote: endpoints.remote(node),
      connection: { local: metaEndpoints.local(row), remote: metaEndpoints.remote(row) },
    };
    const atContext = this.#lastAt(node, location.context);
    // Another four-tuple means that the kernel used the memory of a closed subflow for a new one.
    const last = atContext && isSameFourTuple(atContext, location) ? atContext : undefined;
    const priorities = interpretPriorities(walk.priorities(node), last?.peers, this.schedulerHonours);
    const { local, remote } = location;
    const id = walk.addressId(node);
    const withoutCounters = { local, remote, ...priorities, ...(id !== undefined && { id }) };
    const subflow = counters.addTo(withoutCounters, node);
    const now = { ...location, subflow, peers: priorities.peers, depth };
    // At the same location the object stays the same. So it keeps its guards, and findByRemote still finds it by the endpoint
    // objects that were reported earlier.
    const located =
      last && isSameLocation(last, location) ? Object.assign(last, now) : { ...now, guards: undefined };
    this.#byRemote.set(remote, located);
    return located;
  }

  /** The subflow that the last walk found at this context. */
  #lastAt(node: number, context: bigint): LastSubflow | undefined {
    const sameNode = this.#lastSubflows[node];
    if (sameNode?.context === context) return sameNode;
    this.#lastByContext ??= new Map(
      this.#lastSubflows.flatMap((last) => (last ? [[last.context, last] as const] : [])),
    );
    return this.#lastByContext.get(context);
  }
}

function subflowOf({ subflow }: LocatedSubflow): Subflow {
  return subflow;
}

function isSameLocation(one: SubflowLocation, other: SubflowLocation): boolean {
  return (
    isSameFile(one.file, other.file) &&
    one.context === other.context &&
    one.socket === other.socket &&
    one.node === other.node &&
    one.link === other.link &&
    isSameFourTuple(one.connection, other.connection)
  );
}

function isSameFile(one: SocketFile, other: SocketFile): boolean {
  return (
    one === other ||
    (['fd', 'file', 'dentry', 'inode', 'socket', 'sk'] as const).every((key) => one[key] === other[key])
  );
}
