import type { PriorityBits } from '../commit/priority-bits.js';
import { PrioritySlots, type PriorityFlags } from '../commit/priority-slots.js';
import type { Field, Layout } from '../layout/layout.js';
import { addOffset, type AddressSpace } from '../memory/address-space.js';
import { FieldSelection, type BitSlot, type Slot } from '../memory/field-selection.js';
import { FieldTable, type WordHalves } from '../memory/field-table.js';
import { PointerTable } from '../memory/pointer-table.js';
import type { ReadSet } from '../memory/read-set.js';
import { AddressIdSlot } from './address-id-slot.js';
import { nextPointer } from './subflow-lists.js';

// The structures of multipath-tcp.org, one class for each: which members the walk reads, and what they mean.

/** The structure of a subflow besides its `tcp_sock`. */
export const SUBFLOW = 'mptcp_tcp_sock';

/** Members of `mptcp_cb` that are set once a connection fell back to TCP. Their names differ between versions. */
const FALLBACK_MEMBERS = [
  'infinite_mapping',
  'infinite_mapping_rcv',
  'infinite_mapping_snd',
  'send_infinite_mapping',
];

/** The `tcp_sock` of each file of the process. */
export class FileSocks {
  readonly #selection = new FieldSelection();
  readonly #mpc: BitSlot;
  readonly #mpcb: Slot;
  readonly #table: FieldTable;

  constructor(
    private readonly readSet: ReadSet,
    layout: Layout,
  ) {
    this.#mpc = this.#selection.addBits(layout.bits('tcp_sock', 'mpc'));
    this.#mpcb = this.#selection.add(layout.field('tcp_sock', 'mpcb'));
    this.#table = new FieldTable(this.#selection);
  }

  read(addresses: BigUint64Array): this {
    this.readSet.gather(addresses, this.#selection, this.#table);
    return this;
  }

  isRead(row: number): boolean {
    return this.#table.isRead(row);
  }

  /** Whether it is a meta-socket. Otherwise it is plain TCP. */
  isMeta(row: number): boolean {
    return this.#table.bits(row, this.#mpc) === 1 && !this.#table.isNull(row, this.#mpcb);
  }

  /** The address of its `mptcp_cb`. */
  mpcb(row: number): bigint {
    return this.#table.u64(row, this.#mpcb);
  }
}

/**
 * The list of subflows: its head in `mptcp_cb`, and the next pointer in `mptcp_tcp_sock`. Its nodes are `tcp_sock`, or since
 * v0.95 members of `mptcp_tcp_sock`.
 */
export class SubflowList {
  readonly head: Field;
  readonly next: Field;
  readonly #areContexts: boolean;
  /** `tcp_sock.mptcp`, read on the walk along the lists. */
  readonly #contextOnList: PointerTable;
  /** `tcp_sock.mptcp`, read after the walk along the lists. */
  readonly #contextOf: PointerTable;
  /** `mptcp_tcp_sock.tp`. */
  readonly #sockOf: PointerTable;

  constructor(space: AddressSpace, readSet: ReadSet, layout: Layout) {
    this.#areContexts = layout.has('mptcp_cb', 'conn_list');
    const [head, next] = this.#areContexts ? ['conn_list', 'node'] : ['connection_list', 'next'];
    this.head = layout.field('mptcp_cb', head);
    this.next = layout.field(SUBFLOW, next);
    this.#contextOnList = new PointerTable(space, layout.field('tcp_sock', 'mptcp'));
    this.#contextOf = new PointerTable(readSet, layout.field('tcp_sock', 'mptcp'));
    this.#sockOf = new PointerTable(readSet, layout.field(SUBFLOW, 'tp'));
  }

  /** The addresses of the next pointers of these nodes. */
  nextLinks(nodes: BigUint64Array): BigUint64Array {
    // The next pointer is the first member of an hlist_node.
    return this.#areContexts ? nodes : addOffset(this.#contextOnList.read(nodes), this.next.offset);
  }

  /** The `mptcp_tcp_sock` and the `tcp_sock` of each node; 0 for one that cannot be read. */
  addressesOf(nodes: BigUint64Array): { readonly contexts: BigUint64Array; readonly socks: BigUint64Array } {
    if (!this.#areContexts) return { contexts: this.#contextOf.read(nodes), socks: nodes };
    const contexts = addOffset(nodes, -this.next.offset);
    return { contexts, socks: this.#sockOf.read(contexts) };
  }
}

/** The `mptcp_cb` of each meta-socket. */
export class MetaControlBlocks {
  /** The head of the list of subflows. */
  readonly first: Slot;
  readonly #selection = new FieldSelection();
  readonly #metaSk: Slot;
  readonly #token: Slot;
  readonly #fallbacks: readonly BitSlot[];
  readonly #table: FieldTable;

  constructor(
    private readonly readSet: ReadSet,
    layout: Layout,
    list: SubflowList,
  ) {
    this.#metaSk = this.#selection.add(layout.field('mptcp_cb', 'meta_sk'));
    this.#token = this.#selection.add(layout.field('mptcp_cb', 'mptcp_loc_token'));
    this.#fallbacks = FALLBACK_MEMBERS.filter((name) => layout.has('mptcp_cb', name)).map((name) =>
      this.#selection.addBits(layout.bits('mptcp_cb', name)),
    );
    this.first = this.#selection.add(nextPointer(list.head));
    this.#table = new FieldTable(this.#selection);
  }

  read(addresses: BigUint64Array): FieldTable {
    return this.readSet.gather(addresses, this.#selection, this.#table);
  }

  /** @param metaSocks the meta-sockets in the same order. */
  belongsTo(metaSocks: WordHalves, meta: number): boolean {
    return this.#table.pointerEquals(meta, this.#metaSk, metaSocks, meta);
  }

  hasFallenBack(meta: number): boolean {
    return this.#fallbacks.some((bit) => this.#table.bits(meta, bit) !== 0);
  }

  token(meta: number): number {
    return this.#table.u32(meta, this.#token);
  }

  isUnchanged(meta: number): boolean {
    return this.#table.isUnchanged(meta);
  }
}

/** The `mptcp_tcp_sock` of each node of the lists. */
export class SubflowContexts {
  /** The next pointer of the list of subflows. */
  readonly next: Slot;
  readonly #selection = new FieldSelection();
  readonly #tp: Slot;
  readonly #priorities: PrioritySlots;
  readonly #addressId: AddressIdSlot;
  readonly #table: FieldTable;

  constructor(
    private readonly readSet: ReadSet,
    layout: Layout,
    list: SubflowList,
    bits: PriorityBits,
  ) {
    this.next = this.#selection.add(nextPointer(list.next));
    this.#tp = this.#selection.add(layout.field(SUBFLOW, 'tp'));
    this.#priorities = new PrioritySlots(this.#selection, bits);
    this.#addressId = new AddressIdSlot(this.#selection, layout, SUBFLOW, 'rem_id');
    this.#table = new FieldTable(this.#selection);
  }

  read(addresses: BigUint64Array): FieldTable {
    return this.readSet.gather(addresses, this.#selection, this.#table);
  }

  /** @param socks the `tcp_sock` of each node, in the same order. */
  belongsTo(socks: WordHalves, node: number): boolean {
    return this.#table.isRead(node) && this.#table.pointerEquals(node, this.#tp, socks, node);
  }

  priorities(node: number): PriorityFlags {
    return this.#priorities.read(this.#table, node);
  }

  addressId(node: number): number | undefined {
    return this.#addressId.read(this.#table, node);
  }

  isUnchanged(node: number): boolean {
    return this.#table.isUnchanged(node);
  }
}

/** The `tcp_sock` of each node of the lists. */
export class SubflowSocks {
  readonly #selection = new FieldSelection();
  readonly #mpcb: Slot;
  readonly #mptcp: Slot;
  readonly #table: FieldTable;

  constructor(
    private readonly readSet: ReadSet,
    layout: Layout,
  ) {
    this.#mpcb = this.#selection.add(layout.field('tcp_sock', 'mpcb'));
    this.#mptcp = this.#selection.add(layout.field('tcp_sock', 'mptcp'));
    this.#table = new FieldTable(this.#selection);
  }

  read(addresses: BigUint64Array): void {
    this.readSet.gather(addresses, this.#selection, this.#table);
  }

  /**
   * Whether the node is a subflow of this meta-socket.
   * @param mpcbs the `mptcp_cb` of each meta-socket.
   * @param contexts the `mptcp_tcp_sock` of each node.
   */
  belongsTo(mpcbs: WordHalves, meta: number, contexts: WordHalves, node: number): boolean {
    return (
      this.#table.isRead(node) &&
      this.#table.pointerEquals(node, this.#mpcb, mpcbs, meta) &&
      this.#table.pointerEquals(node, this.#mptcp, contexts, node)
    );
  }

  isUnchanged(node: number): boolean {
    return this.#table.isUnchanged(node);
  }
}
