import type { PriorityFlags } from '../commit/priority-slots.js';
import type { CounterTable } from './counter-table.js';
import type { EndpointTable } from './endpoint-table.js';
import type { SocketFile } from './sockets.js';
import type { SubflowLists } from './subflow-lists.js';

/**
 * What a walk found: the meta-sockets of one server, and the nodes on their lists of subflows. The functions say what these
 * mean, because the two MPTCP implementations keep the same facts in different structures. In their arguments `meta` is an
 * index in `metas`, and `node` is an index in `lists.nodes`.
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
  /** Whether a connection fell back to TCP. Its nodes are those from `first` up to `end`, without `end` itself. */
  isPlain(meta: number, first: number, end: number): boolean;
  token(meta: number): number;
  /** Whether a node is a subflow of this meta-socket: not of another one, and not a subflow that the kernel is removing. */
  isSubflow(node: number, meta: number): boolean;
  priorities(node: number): PriorityFlags;
  /** The client's address ID, 0 to 255; undefined if the layout does not have it. */
  addressId(node: number): number | undefined;
  /** Whether everything that {@link problemOf}, {@link isPlain} and {@link token} use is unchanged since the last walk. */
  isMetaUnchanged(meta: number): boolean;
  /** Whether everything that {@link isSubflow}, {@link priorities} and {@link addressId} use is unchanged since the last walk. */
  isNodeUnchanged(node: number): boolean;
}

/** A socket that a walk recognised as a meta-socket. */
export interface MetaSocket {
  readonly file: SocketFile;
  /** Its row in the tables that have one for each socket of the process. */
  readonly row: number;
}
