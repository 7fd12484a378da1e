import type { PlainPeer } from '../../model/connection.js';
import type { Access } from '../../native/addon.js';
import { PriorityBits } from '../commit/priority-bits.js';
import { PrioritySlots } from '../commit/priority-slots.js';
import type { Trail } from '../commit/trail.js';
import { upstreamPriority } from '../commit/upstream-priority.js';
import type { BitField, Field, Layout } from '../layout/layout.js';
import { addOffset, type AddressSpace } from '../memory/address-space.js';
import { FieldSelection, type BitSlot, type Slot } from '../memory/field-selection.js';
import { FieldTable, toHalves } from '../memory/field-table.js';
import { AddressIdSlot } from './address-id-slot.js';
import type { MetaSocket, WalkResult } from './walk-result.js';
import { EndpointTable } from './endpoint-table.js';
import { IPPROTO_MPTCP, IPPROTO_TCP, type MptcpImplementation, type Walk } from './mptcp-implementation.js';
import { expectFourTuple, trailToMetaSocket } from './subflow-trail.js';
import { type SubflowLocation } from './subflow-location.js';
import type { OpenFiles } from './fd-table.js';
import { ServerWalk } from './server-walk.js';
import { SocketReader } from './sockets.js';
import { listsUnchanged, ListWalker, nextPointer } from './subflow-lists.js';

const CONTEXT = 'mptcp_subflow_context';

/**
 * MPTCP of upstream Linux (5.6 and later). A meta-socket is a `mptcp_sock`. Its `conn_list` has one
 * `mptcp_subflow_context` for each subflow.
 */
export class UpstreamMptcp implements MptcpImplementation {
  readonly name = 'upstream';
  readonly bits: PriorityBits;
  readonly #endpoints: EndpointTable;
  readonly #protocol: BitField;
  readonly #tcpSock: Field;
  readonly #conn: Field;

  constructor(
    private readonly space: AddressSpace,
    private readonly layout: Layout,
    access: Access,
  ) {
    this.bits = new PriorityBits(layout, access, upstreamPriority(layout));
    this.#endpoints = new EndpointTable(space, layout);
    this.#protocol = layout.bits('sock', 'sk_protocol');
    this.#tcpSock = layout.field(CONTEXT, 'tcp_sock');
    this.#conn = layout.field(CONTEXT, 'conn');
  }

  createWalk(pid: number): Walk {
    return new UpstreamWalk(this.space, this.layout, this.bits, pid);
  }

  trail(pid: number, files: OpenFiles, location: SubflowLocation): Trail | undefined {
    const { space, layout } = this;
    const { sk } = location.file;
    const { context, socket } = location;
    const at = (base: bigint, { offset }: Field) => base + BigInt(offset);
    const trail = trailToMetaSocket(space, layout, this.#endpoints, pid, files, location);
    const areAccepted =
      trail?.expectBitField('meta-socket', 'its protocol', sk, this.#protocol, IPPROTO_MPTCP) &&
      trail.expectPointer('subflow list', 'the pointer to the subflow', location.link, location.node) &&
      expectFourTuple(trail, this.#endpoints, 'subflow', socket, location) &&
      trail.expectPointer('subflow', 'its socket', at(context, this.#tcpSock), socket) &&
      trail.expectPointer('subflow', 'its meta-socket', at(context, this.#conn), sk) &&
      this.bits.preconditions.every(({ bit, value }) =>
        trail.expectBitField('subflow', bit.name, context, bit, value),
      );
    return areAccepted ? trail : undefined;
  }
}

/**
 * The walk, in the order of its reads: the files' sockets, each meta-socket and its list of subflows, and then the subflows
 * of all lists together.
 */
class UpstreamWalk extends ServerWalk {
  readonly #sockets: SocketReader;
  readonly #metaEndpoints: EndpointTable;
  // members of mptcp_sock
  readonly #connList: Field;
  readonly #metaSelection = new FieldSelection();
  readonly #token: Slot;
  readonly #first: Slot;
  readonly #metas: FieldTable;
  // members of mptcp_subflow_context
  readonly #node: Field;
  readonly #contextSelection = new FieldSelection();
  readonly #next: Slot;
  readonly #tcpSock: Slot;
  readonly #conn: Slot;
  readonly #priorities: PrioritySlots;
  readonly #addressId: AddressIdSlot;
  /** Bits that are set if a subflow did one of the two MPTCP handshakes. */
  readonly #handshakes: readonly BitSlot[];
  readonly #contexts: FieldTable;
  // of the tcp_sock of each subflow
  readonly #endpoints: EndpointTable;
  readonly #lists: ListWalker;

  constructor(space: AddressSpace, layout: Layout, bits: PriorityBits, pid: number) {
    super(space, layout, bits, pid);
    const { readSet } = this;
    this.#sockets = new SocketReader(readSet, layout);
    this.#metaEndpoints = new EndpointTable(readSet, layout, { protocol: true });
    this.#connList = layout.field('mptcp_sock', 'conn_list');
    this.#token = this.#metaSelection.add(layout.field('mptcp_sock', 'token'));
    this.#first = this.#metaSelection.add(nextPointer(this.#connList));
    this.#metas = new FieldTable(this.#metaSelection);
    this.#node = layout.field(CONTEXT, 'node');
    this.#next = this.#contextSelection.add(nextPointer(this.#node));
    this.#tcpSock = this.#contextSelection.add(layout.field(CONTEXT, 'tcp_sock'));
    this.#conn = this.#contextSelection.add(layout.field(CONTEXT, 'conn'));
    this.#priorities = new PrioritySlots(this.#contextSelection, bits);
    this.#addressId = new AddressIdSlot(this.#contextSelection, layout, CONTEXT, 'remote_id');
    this.#handshakes = ['mp_capable', 'mp_join'].map((name) =>
      this.#contextSelection.addBits(layout.bits(CONTEXT, name)),
    );
    this.#contexts = new FieldTable(this.#contextSelection);
    this.#endpoints = new EndpointTable(readSet, layout);
    this.#lists = new ListWalker(space);
  }

  protected walk(files: OpenFiles, problems: string[], plain: PlainPeer[]): WalkResult {
    const { readSet, counters, pid } = this;
    const sockets = this.#sockets.read(files, problems);
    const metaEndpoints = this.#metaEndpoints.read(sockets.socks);
    const found: MetaSocket[] = [];
    for (const [row, file] of sockets.files.entries()) {
      if (!metaEndpoints.isEstablished(row)) continue;
      const protocol = metaEndpoints.protocol(row);
      if (protocol === IPPROTO_MPTCP) found.push({ file, row });
      else if (protocol === IPPROTO_TCP) plain.push({ pid, remote: metaEndpoints.remote(row) });
    }
    const metaSocks = new BigUint64Array(found.length);
    for (const [meta, { row }] of found.entries()) metaSocks[meta] = sockets.socks[row] as bigint;
    const heads = addOffset(metaSocks, this.#connList.offset);
    // A list ends with a pointer back to its head. The next pointer is the first member of a list_head.
    const lists = this.#lists.walk(heads, heads, (nodes) => nodes);
    const addresses = addOffset(lists.nodes, -this.#node.offset);
    const metas = readSet.gather(metaSocks, this.#metaSelection, this.#metas);
    const contexts = readSet.gather(addresses, this.#contextSelection, this.#contexts);
    const listFields = { heads: metas, first: this.#first, nodes: contexts, next: this.#next };
    // The kernel may have changed a list after the walk along it. Then the next observation must not use these results again.
    if (!listsUnchanged(lists, heads, listFields)) readSet.invalidate();
    const socks = contexts.pointers(this.#tcpSock, addresses.length);
    const endpoints = this.#endpoints.read(socks);
    counters.read(socks);

    // V8 compares pointers faster as two halves.
    const metaHalves = toHalves(metaSocks);
    const isSubflow = (node: number, meta: number) =>
      contexts.pointerEquals(node, this.#conn, metaHalves, meta);
    const hasHandshake = (node: number) => this.#handshakes.some((bit) => contexts.bits(node, bit) !== 0);
    return {
      metas: found,
      metaEndpoints,
      lists,
      contexts: addresses,
      socks,
      endpoints,
      counters,
      problemOf: (meta: number) => (metas.isRead(meta) ? undefined : 'it cannot be read'),
      // After a fallback to TCP a meta-socket has one subflow, which did neither handshake.
      isPlain: (meta: number, first: number, end: number) => {
        for (let node = first; node < end; node++) {
          if (isSubflow(node, meta) && hasHandshake(node)) return false;
        }
        return end > first;
      },
      token: (meta: number) => metas.u32(meta, this.#token),
      isSubflow,
      isMetaUnchanged: (meta: number) => metas.isUnchanged(meta),
      isNodeUnchanged: (node: number) => contexts.isUnchanged(node),
      priorities: (node: number) => this.#priorities.read(contexts, node),
      addressId: (node: number) => this.#addressId.read(contexts, node),
    };
  }
}
