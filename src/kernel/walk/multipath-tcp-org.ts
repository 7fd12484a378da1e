import type { PlainPeer } from '../../model/connection.js';
import type { Access } from '../../native/addon.js';
import { multipathTcpOrgPriority } from '../commit/multipath-tcp-org-priority.js';
import { PriorityBits } from '../commit/priority-bits.js';
import { PrioritySlots } from '../commit/priority-slots.js';
import type { Trail } from '../commit/trail.js';
import type { BitField, Field, Layout } from '../layout/layout.js';
import { addOffset, type AddressSpace } from '../memory/address-space.js';
import { FieldSelection, type BitSlot, type Slot } from '../memory/field-selection.js';
import { FieldTable, toHalves } from '../memory/field-table.js';
import { PointerTable } from '../memory/pointer-table.js';
import { AddressIdSlot } from './address-id-slot.js';
import type { MetaSocket, WalkResult } from './walk-result.js';
import { EndpointTable } from './endpoint-table.js';
import { IPPROTO_TCP, type MptcpImplementation, type Walk } from './mptcp-implementation.js';
import { expectFourTuple, trailToMetaSocket } from './subflow-trail.js';
import type { SubflowLocation } from './subflow-location.js';
import type { OpenFiles } from './fd-table.js';
import { ServerWalk } from './server-walk.js';
import { SocketReader } from './sockets.js';
import { listsUnchanged, ListWalker, nextPointer } from './subflow-lists.js';

const SUBFLOW = 'mptcp_tcp_sock';

/** Members of `mptcp_cb` that are set once a connection fell back to TCP. Their names differ between versions. */
const FALLBACK_MEMBERS = [
  'infinite_mapping',
  'infinite_mapping_rcv',
  'infinite_mapping_snd',
  'send_infinite_mapping',
];

/**
 * MPTCP of multipath-tcp.org (v0.86 to v0.96 on Linux 3.5 to 5.4; paper, section 3.3.3). A TCP socket with `tcp_sock.mpc`
 * is a meta-socket, and `tcp_sock.mpcb` leads to its list of subflows. A subflow is a `tcp_sock` with a `mptcp_tcp_sock`,
 * which has its priorities. The list goes through `mptcp_tcp_sock.next`, which points to a `tcp_sock`; since v0.95 it goes
 * through `mptcp_tcp_sock.node`, which points to the next `node`.
 */
export class MultipathTcpOrgMptcp implements MptcpImplementation {
  readonly name = 'multipath-tcp.org';
  readonly bits: PriorityBits;
  readonly #endpoints: EndpointTable;
  readonly #protocol: BitField;
  readonly #mpc: BitField;
  readonly #mpcb: Field;
  readonly #mptcp: Field;
  readonly #metaSk: Field;
  readonly #tp: Field;

  constructor(
    private readonly space: AddressSpace,
    private readonly layout: Layout,
    access: Access,
    hasHardenedUsercopy: boolean,
  ) {
    this.bits = new PriorityBits(
      layout,
      access,
      multipathTcpOrgPriority(layout, access, hasHardenedUsercopy),
    );
    this.#endpoints = new EndpointTable(space, layout);
    this.#protocol = layout.bits('sock', 'sk_protocol');
    this.#mpc = layout.bits('tcp_sock', 'mpc');
    this.#mpcb = layout.field('tcp_sock', 'mpcb');
    this.#mptcp = layout.field('tcp_sock', 'mptcp');
    this.#metaSk = layout.field('mptcp_cb', 'meta_sk');
    this.#tp = layout.field(SUBFLOW, 'tp');
  }

  createWalk(pid: number): Walk {
    return new MultipathTcpOrgWalk(this.space, this.layout, this.bits, pid);
  }

  trail(pid: number, files: OpenFiles, location: SubflowLocation): Trail | undefined {
    const { sk } = location.file;
    const at = (base: bigint, { offset }: Field) => base + BigInt(offset);
    const mpcb = this.space.readPointer(at(sk, this.#mpcb));
    const trail = trailToMetaSocket(this.space, this.layout, this.#endpoints, pid, files, location);
    if (!trail || mpcb === undefined) return undefined;
    const { context, socket } = location;
    const areAccepted =
      trail.expectBitField('meta-socket', 'its protocol', sk, this.#protocol, IPPROTO_TCP) &&
      trail.expectBitField('meta-socket', 'its mpc', sk, this.#mpc, 1) &&
      trail.expectPointer('meta-socket', 'its mptcp_cb', at(sk, this.#mpcb), mpcb) &&
      trail.expectPointer('meta-socket', 'the meta_sk of its mptcp_cb', at(mpcb, this.#metaSk), sk) &&
      trail.expectPointer('subflow list', 'the pointer to the subflow', location.link, location.node) &&
      expectFourTuple(trail, this.#endpoints, 'subflow', socket, location) &&
      trail.expectPointer('subflow', 'its mptcp_cb', at(socket, this.#mpcb), mpcb) &&
      trail.expectPointer('subflow', 'its mptcp_tcp_sock', at(socket, this.#mptcp), context) &&
      trail.expectPointer('subflow', 'its socket', at(context, this.#tp), socket) &&
      this.bits.preconditions.every(({ bit, value }) =>
        trail.expectBitField('subflow', bit.name, context, bit, value),
      );
    return areAccepted ? trail : undefined;
  }
}

/**
 * The walk, in the order of its reads: the files' sockets, their `tcp_sock`, the `mptcp_cb` of each meta-socket, its list of
 * subflows, and then all subflows of all lists together.
 */
class MultipathTcpOrgWalk extends ServerWalk {
  readonly #sockets: SocketReader;
  readonly #metaEndpoints: EndpointTable;
  // members of the tcp_sock of each file
  readonly #tcpSelection = new FieldSelection();
  readonly #mpc: BitSlot;
  readonly #mpcb: Slot;
  readonly #tcpSocks: FieldTable;
  // members of the mptcp_cb of each meta-socket
  readonly #metaSelection = new FieldSelection();
  readonly #metaSk: Slot;
  readonly #token: Slot;
  readonly #fallbacks: readonly BitSlot[];
  readonly #first: Slot;
  readonly #metas: FieldTable;
  /** The list of subflows: its head in `mptcp_cb`, the next pointer in `mptcp_tcp_sock`, and what its nodes are part of. */
  readonly #list: {
    readonly head: Field;
    readonly next: Field;
    readonly nodesIn: 'tcp_sock' | 'mptcp_tcp_sock';
  };
  /** `tcp_sock.mptcp`, read after the walk along the lists. */
  readonly #contextOf: PointerTable;
  /** `tcp_sock.mptcp`, read on the walk along the lists. */
  readonly #contextOnList: PointerTable;
  /** `mptcp_tcp_sock.tp`. */
  readonly #sockOf: PointerTable;
  // members of the mptcp_tcp_sock of each subflow
  readonly #contextSelection = new FieldSelection();
  readonly #next: Slot;
  readonly #tp: Slot;
  readonly #priorities: PrioritySlots;
  readonly #addressId: AddressIdSlot;
  readonly #contexts: FieldTable;
  // members of the tcp_sock of each subflow
  readonly #sockSelection = new FieldSelection();
  readonly #mpcbOfSock: Slot;
  readonly #mptcpOfSock: Slot;
  readonly #socks: FieldTable;
  readonly #endpoints: EndpointTable;
  readonly #lists: ListWalker;

  constructor(space: AddressSpace, layout: Layout, bits: PriorityBits, pid: number) {
    super(space, layout, bits, pid);
    const { readSet } = this;
    this.#sockets = new SocketReader(readSet, layout);
    this.#metaEndpoints = new EndpointTable(readSet, layout, { protocol: true });
    const [mpcb, mptcp] = [layout.field('tcp_sock', 'mpcb'), layout.field('tcp_sock', 'mptcp')];
    this.#mpc = this.#tcpSelection.addBits(layout.bits('tcp_sock', 'mpc'));
    this.#mpcb = this.#tcpSelection.add(mpcb);
    this.#tcpSocks = new FieldTable(this.#tcpSelection);
    this.#metaSk = this.#metaSelection.add(layout.field('mptcp_cb', 'meta_sk'));
    this.#token = this.#metaSelection.add(layout.field('mptcp_cb', 'mptcp_loc_token'));
    this.#fallbacks = FALLBACK_MEMBERS.filter((name) => layout.has('mptcp_cb', name)).map((name) =>
      this.#metaSelection.addBits(layout.bits('mptcp_cb', name)),
    );
    this.#list = layout.has('mptcp_cb', 'conn_list')
      ? { head: layout.field('mptcp_cb', 'conn_list'), next: layout.field(SUBFLOW, 'node'), nodesIn: SUBFLOW }
      : {
          head: layout.field('mptcp_cb', 'connection_list'),
          next: layout.field(SUBFLOW, 'next'),
          nodesIn: 'tcp_sock',
        };
    this.#first = this.#metaSelection.add(nextPointer(this.#list.head));
    this.#metas = new FieldTable(this.#metaSelection);
    this.#contextOf = new PointerTable(readSet, mptcp);
    this.#contextOnList = new PointerTable(space, mptcp);
    this.#sockOf = new PointerTable(readSet, layout.field(SUBFLOW, 'tp'));
    this.#next = this.#contextSelection.add(nextPointer(this.#list.next));
    this.#tp = this.#contextSelection.add(layout.field(SUBFLOW, 'tp'));
    this.#priorities = new PrioritySlots(this.#contextSelection, bits);
    this.#addressId = new AddressIdSlot(this.#contextSelection, layout, SUBFLOW, 'rem_id');
    this.#contexts = new FieldTable(this.#contextSelection);
    this.#mpcbOfSock = this.#sockSelection.add(mpcb);
    this.#mptcpOfSock = this.#sockSelection.add(mptcp);
    this.#socks = new FieldTable(this.#sockSelection);
    this.#endpoints = new EndpointTable(readSet, layout);
    this.#lists = new ListWalker(space);
  }

  protected walk(files: OpenFiles, problems: string[], plain: PlainPeer[]): WalkResult {
    const { readSet, counters, pid } = this;
    const sockets = this.#sockets.read(files, problems);
    const metaEndpoints = this.#metaEndpoints.read(sockets.socks);
    const tcpSocks = this.#readTcpSocks(sockets.socks, metaEndpoints);
    const found: MetaSocket[] = [];
    for (const [row, file] of sockets.files.entries()) {
      if (!tcpSocks.isRead(row)) continue;
      const isMeta = tcpSocks.bits(row, this.#mpc) === 1 && !tcpSocks.isNull(row, this.#mpcb);
      if (isMeta) found.push({ file, row });
      else plain.push({ pid, remote: metaEndpoints.remote(row) });
    }
    const [metaSocks, mpcbs] = [new BigUint64Array(found.length), new BigUint64Array(found.length)];
    for (const [meta, { row }] of found.entries()) {
      metaSocks[meta] = sockets.socks[row] as bigint;
      mpcbs[meta] = tcpSocks.u64(row, this.#mpcb);
    }
    const heads = addOffset(mpcbs, this.#list.head.offset);
    // These lists end with NULL.
    const ends = new BigUint64Array(found.length);
    const lists = this.#lists.walk(heads, ends, (nodes) => this.#nextLinks(nodes));
    const metas = readSet.gather(mpcbs, this.#metaSelection, this.#metas);
    const { contextAddresses, socks } = this.#addressesOf(lists.nodes);
    const contexts = readSet.gather(contextAddresses, this.#contextSelection, this.#contexts);
    const listFields = { heads: metas, first: this.#first, nodes: contexts, next: this.#next };
    // The kernel may have changed a list after the walk along it. Then the next observation must not use these results again.
    if (!listsUnchanged(lists, ends, listFields)) readSet.invalidate();
    const sockTable = readSet.gather(socks, this.#sockSelection, this.#socks);
    const endpoints = this.#endpoints.read(socks);
    counters.read(socks);

    // V8 compares pointers faster as two halves.
    const [metaHalves, mpcbHalves] = [toHalves(metaSocks), toHalves(mpcbs)];
    const [contextHalves, sockHalves] = [toHalves(contextAddresses), toHalves(socks)];
    return {
      metas: found,
      metaEndpoints,
      lists,
      contexts: contextAddresses,
      socks,
      endpoints,
      counters,
      problemOf: (meta: number) =>
        metas.pointerEquals(meta, this.#metaSk, metaHalves, meta)
          ? undefined
          : 'its mptcp_cb belongs to another meta-socket',
      isPlain: (meta: number) => this.#fallbacks.some((bit) => metas.bits(meta, bit) !== 0),
      token: (meta: number) => metas.u32(meta, this.#token),
      isSubflow: (node: number, meta: number) =>
        contexts.isRead(node) &&
        contexts.pointerEquals(node, this.#tp, sockHalves, node) &&
        sockTable.isRead(node) &&
        sockTable.pointerEquals(node, this.#mpcbOfSock, mpcbHalves, meta) &&
        sockTable.pointerEquals(node, this.#mptcpOfSock, contextHalves, node),
      isMetaUnchanged: (meta: number) => metas.isUnchanged(meta),
      isNodeUnchanged: (node: number) => contexts.isUnchanged(node) && sockTable.isUnchanged(node),
      priorities: (node: number) => this.#priorities.read(contexts, node),
      addressId: (node: number) => this.#addressId.read(contexts, node),
    };
  }

  /** Reads the MPTCP members of the established TCP sockets. The rows of other sockets are not read. */
  #readTcpSocks(socks: BigUint64Array, endpoints: EndpointTable): FieldTable {
    const addresses = new BigUint64Array(socks.length);
    for (let row = 0; row < socks.length; row++) {
      const isTcp = endpoints.isEstablished(row) && endpoints.protocol(row) === IPPROTO_TCP;
      if (isTcp) addresses[row] = socks[row] as bigint;
    }
    return this.readSet.gather(addresses, this.#tcpSelection, this.#tcpSocks);
  }

  /** The addresses of the next pointers of these nodes. */
  #nextLinks(nodes: BigUint64Array): BigUint64Array {
    // The next pointer is the first member of an hlist_node.
    if (this.#list.nodesIn === 'mptcp_tcp_sock') return nodes;
    return addOffset(this.#contextOnList.read(nodes), this.#list.next.offset);
  }

  /** The `mptcp_tcp_sock` and the `tcp_sock` of each node; 0 for one that cannot be read. */
  #addressesOf(nodes: BigUint64Array): { contextAddresses: BigUint64Array; socks: BigUint64Array } {
    if (this.#list.nodesIn === 'tcp_sock') {
      return { contextAddresses: this.#contextOf.read(nodes), socks: nodes };
    }
    const contextAddresses = addOffset(nodes, -this.#list.next.offset);
    return { contextAddresses, socks: this.#sockOf.read(contextAddresses) };
  }
}
