import type { Connection, PlainPeer } from '../../model/connection.js';
import type { Priority, Subflow } from '../../model/subflow.js';
import { formatEndpoint, isSameEndpoint, type Endpoint } from '../../model/endpoint.js';
import type { BothEnds, Found, LocatedConnection, LocatedSubflow, Place } from './family.js';
import type { Ends } from './inet.js';
import type { Lists } from './lists.js';
import type { SocketFile } from './sockets.js';
import type { TcpCounters } from './tcp-counters.js';
import type { Wishes } from '../commit/wish-slots.js';

/** Meta-sockets and what stands on their lists, each family's own way of telling it. */
export interface Walked {
  readonly metas: readonly Meta[];
  /** Of the meta-sockets, by {@link Meta.row}. */
  readonly metaEnds: Ends;
  readonly lists: Lists;
  /** Of each node: the structure that holds the priorities, and the `tcp_sock`. */
  readonly contexts: BigUint64Array;
  readonly socks: BigUint64Array;
  readonly ends: Ends;
  readonly counters: TcpCounters;
  /** Why this meta-socket cannot be told; undefined if it can. */
  problem(meta: number): string | undefined;
  /** Whether it fell back to TCP. @param first of its nodes, and one behind its last one. */
  isPlain(meta: number, first: number, end: number): boolean;
  token(meta: number): number;
  /** Whether a node is a subflow of this meta-socket, and no other's, nor one that is being torn down. */
  isSubflow(node: number, meta: number): boolean;
  /** Whether all that {@link problem}, {@link isPlain} and {@link token} ask of a meta-socket is as it was at the last look. */
  isSameMeta(meta: number): boolean;
  /** Whether all that {@link isSubflow} and {@link wishes} ask of a node is as it was at the last look. */
  isSame(node: number): boolean;
  wishes(node: number): Wishes;
}

export interface Meta {
  readonly file: SocketFile;
  readonly row: number;
}

/** A subflow and what else it was found by: while all of it stays, so does the object. */
interface Known extends LocatedSubflow {
  /** How many stand before it on its list. */
  readonly depth: number;
}

/** A connection, and which nodes it was made of. */
interface KnownConnection {
  readonly located: LocatedConnection;
  readonly first: number;
  readonly end: number;
}

/** Makes connections of what the looks at one server find, and makes again only what changed. */
export class Connections {
  /** By node, as the last look found them. */
  #nodes: (Known | undefined)[] = [];
  /** By meta-socket. */
  #metas: (KnownConnection | undefined)[] = [];
  /** The last look's by context, once a node is not where it was. */
  #byContext: Map<bigint, Known> | undefined;
  /** By the remote ends that were told, as objects. */
  readonly #byRemote = new WeakMap<Endpoint, Place>();

  /** @param heeds what the kernel's scheduler asks, see {@link PrioritySource}. */
  constructor(
    private readonly pid: number,
    private readonly heeds: 'either' | 'peers',
  ) {}

  /** @param problems and @param plain get what is no connection. */
  of(walked: Walked, problems: string[], plain: PlainPeer[]): Found {
    const { metas, metaEnds, lists } = walked;
    const nodes = new Array<Known | undefined>(lists.nodes.length);
    const known = new Array<KnownConnection | undefined>(metas.length);
    const connections: LocatedConnection[] = [];
    this.#byContext = undefined;
    for (let index = 0; index < metas.length; index++) {
      const meta = metas[index] as Meta;
      const [first, end] = [lists.firsts[index] as number, lists.firsts[index + 1] as number];
      const last = this.#metas[index];
      if (last && this.#isUntouched(last, walked, index)) {
        for (let node = first; node < end; node++) nodes[node] = this.#nodes[node];
        known[index] = last;
        connections.push(last.located);
        continue;
      }
      const remote = metaEnds.remote(meta.row);
      const problem = lists.broken.get(index) ?? walked.problem(index);
      if (problem !== undefined) {
        problems.push(`fd ${meta.file.fd} (${formatEndpoint(remote)}): ${problem}`);
        continue;
      }
      if (walked.isPlain(index, first, end)) {
        plain.push({ pid: this.pid, remote });
        continue;
      }
      const subflows: Known[] = [];
      for (let node = first; node < end; node++) {
        if (!walked.ends.isEstablished(node) || !walked.isSubflow(node, index)) continue;
        subflows.push((nodes[node] = this.#subflow(walked, meta, node, node - first)));
      }
      const located = this.#connection(walked, index, subflows);
      known[index] = { located, first, end };
      connections.push(located);
    }
    this.#nodes = nodes;
    this.#metas = known;
    this.#byContext = undefined;
    return { connections, plain, problems };
  }

  /** Where all that the last look found is there, and nothing but counters is other than it was. */
  recount(counters: TcpCounters): void {
    for (const known of this.#metas) {
      if (!known) continue;
      const { located, first, end } = known;
      let isSame = true;
      for (let node = first; node < end; node++) {
        const one = this.#nodes[node];
        if (!one || counters.isSame(node)) continue;
        one.subflow = counters.of(one.subflow, node);
        isSame = false;
      }
      if (isSame) continue;
      const { pid, remote, local, token } = located.connection;
      located.connection = { pid, remote, local, token, subflows: subflowsOf(located) };
    }
  }

  /** See {@link Walk.placeAt}. */
  placeAt(remote: Endpoint): Place | undefined {
    return this.#byRemote.get(remote);
  }

  /** See {@link Walk.forget}. */
  forget(remote: Endpoint): void {
    this.#byRemote.delete(remote);
  }

  /** Whether a connection and all its nodes are where they were and as they were. */
  #isUntouched(last: KnownConnection, walked: Walked, index: number): boolean {
    const { metas, metaEnds, lists, ends, counters } = walked;
    const { file, row } = metas[index] as Meta;
    const [first, end] = [lists.firsts[index], lists.firsts[index + 1]];
    const isThere =
      last.located.file === file &&
      last.first === first &&
      last.end === end &&
      metaEnds.isSame(row) &&
      walked.isSameMeta(index) &&
      !lists.broken.has(index);
    for (let node = last.first; isThere && node < last.end; node++) {
      if (!walked.isSame(node) || !ends.isSame(node) || !counters.isSame(node)) return false;
    }
    return isThere;
  }

  #connection(walked: Walked, index: number, subflows: readonly LocatedSubflow[]): LocatedConnection {
    const { file, row } = walked.metas[index] as Meta;
    const connection: Connection = {
      pid: this.pid,
      remote: walked.metaEnds.remote(row),
      local: walked.metaEnds.local(row),
      token: walked.token(index),
      subflows: subflowsOf({ subflows }),
    };
    return { connection, file, subflows };
  }

  #subflow(walked: Walked, { file, row }: Meta, node: number, depth: number): Known {
    const { ends, counters, metaEnds } = walked;
    const last = this.#nodes[node];
    const isThere =
      last?.place.file === file &&
      last.depth === depth &&
      last.place.connection.local === metaEnds.local(row) &&
      last.place.connection.remote === metaEnds.remote(row) &&
      last.subflow.local === ends.local(node) &&
      last.subflow.remote === ends.remote(node) &&
      walked.isSame(node) &&
      // which holds the pointer to it
      (depth === 0 || walked.isSame(node - 1));
    if (!isThere) return this.#describe(walked, { file, row }, node, depth);
    if (!counters.isSame(node)) last.subflow = counters.of(last.subflow, node);
    return last;
  }

  #describe(walked: Walked, { file, row }: Meta, node: number, depth: number): Known {
    const { lists, ends, counters, metaEnds } = walked;
    const connection = { local: metaEnds.local(row), remote: metaEnds.remote(row) };
    const own = { local: ends.local(node), remote: ends.remote(node) };
    const at = {
      file,
      context: walked.contexts[node] as bigint,
      socket: walked.socks[node] as bigint,
      node: lists.nodes[node] as bigint,
      link: lists.links[node] as bigint,
    };
    const last = this.#last(node, at.context);
    const isLast = last !== undefined && isSameEnds(last.subflow, own);
    const isThere = isLast && isSamePlace(last.place, at) && isSameEnds(last.place.connection, connection);
    const wishes = this.#wishes(walked.wishes(node), isLast ? last.subflow.peers : undefined);
    const seen = { ...at, ...own, connection, peers: wishes.peers };
    const place: Place = isThere ? Object.assign(last.place, seen) : { ...seen, way: undefined };
    this.#byRemote.set(own.remote, place);
    return { subflow: counters.of({ ...own, ...wishes }, node), place, depth };
  }

  /** What the last look found at this context. */
  #last(node: number, context: bigint): Known | undefined {
    const here = this.#nodes[node];
    if (here?.place.context === context) return here;
    this.#byContext ??= new Map(
      this.#nodes.flatMap((known) => (known ? [[known.place.context, known] as const] : [])),
    );
    return this.#byContext.get(context);
  }

  /**
   * Where the scheduler heeds the peer's wish alone, ours is written over it, and it is known only from before: after a
   * restart a subflow that we made backup counts as one that its peer wishes active. A peer that takes its backup back takes
   * ours with it: then ours is not in force, and is told so.
   */
  #wishes(
    { ours, peers, mpPrioPending }: Wishes,
    before: Priority | undefined,
  ): Pick<Subflow, 'ours' | 'peers' | 'mpPrioPending'> {
    if (this.heeds === 'either') return { ours: priority(ours), peers: priority(peers), mpPrioPending };
    const wish = ours && peers && before !== undefined ? before : priority(!ours && peers);
    return { ours: priority(ours && peers), peers: wish, mpPrioPending };
  }
}

function subflowsOf({ subflows }: Pick<LocatedConnection, 'subflows'>): Subflow[] {
  return subflows.map(({ subflow }) => subflow);
}

function priority(isBackup: boolean): Priority {
  return isBackup ? 'backup' : 'active';
}

type Addresses = Pick<Place, 'file' | 'context' | 'socket' | 'node' | 'link'>;

function isSamePlace(one: Addresses, other: Addresses): boolean {
  return (
    isSameFile(one.file, other.file) &&
    one.context === other.context &&
    one.socket === other.socket &&
    one.node === other.node &&
    one.link === other.link
  );
}

function isSameFile(one: SocketFile, other: SocketFile): boolean {
  return (
    one === other ||
    (['fd', 'file', 'dentry', 'inode', 'socket', 'sk'] as const).every((key) => one[key] === other[key])
  );
}

function isSameEnds(one: BothEnds, other: BothEnds): boolean {
  return isSameEndpoint(one.local, other.local) && isSameEndpoint(one.remote, other.remote);
}
