import type { Connection, PlainPeer } from '../../model/connection.js';
import { formatEndpoint, isSameFourTuple, type Endpoint } from '../../model/endpoint.js';
import type { Subflow } from '../../model/subflow.js';
import { GuardTable, type GuardSequence } from '../commit/guard-table.js';
import type { SchedulerHonours } from '../commit/priority-bits.js';
import type { PriorityFlags } from '../commit/priority-slots.js';
import type { Trail } from '../commit/trail.js';
import type { CounterTable } from './counter-table.js';
import type { EndpointTable } from './endpoint-table.js';
import { interpretPriorities } from './interpret-priorities.js';
import type {
  LocatedConnection,
  LocatedConnections,
  LocatedSubflow,
  SubflowLocation,
} from './subflow-location.js';
import type { SocketFile } from './sockets.js';
import type { SubflowLists } from './subflow-lists.js';

/**
 * What the walk of one MPTCP implementation found: the meta-sockets, and the nodes on their lists of subflows. The functions
 * interpret both, because the two implementations keep the same facts in different structures. `meta` is an index in `metas`,
 * and `node` an index in `lists.nodes`.
 */
export interface WalkResult {
  readonly metas: readonly MetaSocket[];
  /** The endpoints of the meta-sockets, by {@link MetaSocket.row}. */
  readonly metaEndpoints: EndpointTable;
  readonly lists: SubflowLists;
  /** For each node: the structure with the priority bits. */
  readonly contexts: BigUint64Array;
  /** For each node: the `tcp_sock`. */
  readonly socks: BigUint64Array;
  /** The endpoints of each node. */
  readonly endpoints: EndpointTable;
  /** The counters of each node. */
  readonly counters: CounterTable;
  /** Why a meta-socket cannot be used; undefined if it can. */
  problemOf(meta: number): string | undefined;
  /** Whether a connection fell back to TCP. @param first its first node. @param end one more than its last node. */
  isPlain(meta: number, first: number, end: number): boolean;
  token(meta: number): number;
  /** Whether a node is a subflow of this meta-socket, and not of another one or a subflow that the kernel is removing. */
  isSubflow(node: number, meta: number): boolean;
  /** Whether everything that {@link problemOf}, {@link isPlain} and {@link token} use is unchanged since the last walk. */
  isMetaUnchanged(meta: number): boolean;
  /** Whether everything that {@link isSubflow} and {@link priorities} use is unchanged since the last walk. */
  isNodeUnchanged(node: number): boolean;
  priorities(node: number): PriorityFlags;
}

/** A socket that a walk recognised as a meta-socket. */
export interface MetaSocket {
  readonly file: SocketFile;
  /** Its row in the tables that have one for each socket of the process. */
  readonly row: number;
}

/** A subflow, as the last walk found it. */
interface LastSubflow extends LocatedSubflow {
  /** The number of nodes before it on its list. */
  depth: number;
}

/** A connection, as the last walk found it, and its nodes. */
interface LastConnection {
  readonly located: LocatedConnection;
  readonly first: number;
  readonly end: number;
}

/** Makes connections from the walks of one server, and keeps the objects of those that did not change. */
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
    const nowSubflows = new Array<LastSubflow | undefined>(lists.nodes.length);
    const nowConnections = new Array<LastConnection | undefined>(metas.length);
    const connections: LocatedConnection[] = [];
    this.#lastByContext = undefined;
    for (let index = 0; index < metas.length; index++) {
      const meta = metas[index] as MetaSocket;
      const [first, end] = [lists.starts[index] as number, lists.starts[index + 1] as number];
      const last = this.#lastConnections[index];
      if (last && this.#isUnchanged(last, walk, index)) {
        for (let node = first; node < end; node++) nowSubflows[node] = this.#lastSubflows[node];
        nowConnections[index] = last;
        connections.push(last.located);
        continue;
      }
      const remote = metaEndpoints.remote(meta.row);
      const problem = lists.broken.get(index) ?? walk.problemOf(index);
      if (problem !== undefined) {
        problems.push(`fd ${meta.file.fd} (${formatEndpoint(remote)}): ${problem}`);
        continue;
      }
      if (walk.isPlain(index, first, end)) {
        plain.push({ pid: this.pid, remote, fellBack: true });
        continue;
      }
      const subflows: LastSubflow[] = [];
      for (let node = first; node < end; node++) {
        if (!walk.endpoints.isEstablished(node) || !walk.isSubflow(node, index)) continue;
        const subflow = this.#updateOrLocate(walk, meta, node, node - first);
        nowSubflows[node] = subflow;
        subflows.push(subflow);
      }
      const located = this.#locateConnection(walk, index, subflows);
      nowConnections[index] = { located, first, end };
      connections.push(located);
    }
    this.#lastSubflows = nowSubflows;
    this.#lastConnections = nowConnections;
    this.#lastByContext = undefined;
    return { connections, plain, problems };
  }

  /** Updates the connections of the last walk, if nothing but counters changed since then. */
  updateCounters(counters: CounterTable): void {
    for (const last of this.#lastConnections) {
      if (!last) continue;
      const { located, first, end } = last;
      let isUnchanged = true;
      for (let node = first; node < end; node++) {
        const located = this.#lastSubflows[node];
        if (!located || counters.isUnchanged(node)) continue;
        located.subflow = counters.addTo(located.subflow, node);
        isUnchanged = false;
      }
      if (isUnchanged) continue;
      const { pid, remote, local, token } = located.connection;
      located.connection = { pid, remote, local, token, subflows: subflowsOf(located) };
    }
  }

  /** See {@link Walk.addGuards}. */
  addGuards(located: LocatedSubflow, trail: Trail, target: bigint): GuardSequence {
    const words = trail.words(target);
    if (!this.#guardTable.hasRoom(words.length)) {
      const used = this.#lastSubflows.reduce((sum, last) => sum + (last?.guards?.length ?? 0), 0);
      // The rest belongs to subflows that closed, or whose guards failed. To start again is simpler than to reuse that room.
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
  #isUnchanged(last: LastConnection, walk: WalkResult, index: number): boolean {
    const { metas, metaEndpoints, lists, endpoints, counters } = walk;
    const { file, row } = metas[index] as MetaSocket;
    const [first, end] = [lists.starts[index], lists.starts[index + 1]];
    const isMetaUnchanged =
      last.located.file === file &&
      last.first === first &&
      last.end === end &&
      metaEndpoints.isUnchanged(row) &&
      walk.isMetaUnchanged(index) &&
      !lists.broken.has(index);
    if (!isMetaUnchanged) return false;
    for (let node = last.first; node < last.end; node++) {
      if (!walk.isNodeUnchanged(node) || !endpoints.isUnchanged(node) || !counters.isUnchanged(node))
        return false;
    }
    return true;
  }

  #locateConnection(walk: WalkResult, index: number, subflows: readonly LocatedSubflow[]): LocatedConnection {
    const { file, row } = walk.metas[index] as MetaSocket;
    const connection: Connection = {
      pid: this.pid,
      remote: walk.metaEndpoints.remote(row),
      local: walk.metaEndpoints.local(row),
      token: walk.token(index),
      subflows: subflowsOf({ subflows }),
    };
    return { connection, file, subflows };
  }

  /** Updates the counters of a subflow of the last walk if nothing else changed, and otherwise locates the subflow anew. */
  #updateOrLocate(walk: WalkResult, meta: MetaSocket, node: number, depth: number): LastSubflow {
    const { endpoints, counters, metaEndpoints } = walk;
    const { file, row } = meta;
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
    if (!isUnchanged) return this.#locateSubflow(walk, meta, node, depth);
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
    const last = atContext && isSameFourTuple(atContext, location) ? atContext : undefined;
    const priorities = interpretPriorities(walk.priorities(node), last?.peers, this.schedulerHonours);
    const { local, remote } = location;
    const subflow = counters.addTo({ local, remote, ...priorities }, node);
    const now = { ...location, subflow, peers: priorities.peers, depth };
    // At the same location, the same object keeps its guards, and endpoint objects that were reported earlier still lead to it.
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

function subflowsOf({ subflows }: Pick<LocatedConnection, 'subflows'>): Subflow[] {
  return subflows.map(({ subflow }) => subflow);
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
