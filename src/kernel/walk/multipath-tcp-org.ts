import type { PlainPeer } from '../../model/connection.js';
import type { Access } from '../../native/addon.js';
import { multipathTcpOrgPriority } from '../commit/multipath-tcp-org-priority.js';
import { PriorityBits } from '../commit/priority-bits.js';
import type { Trail } from '../commit/trail.js';
import type { BitField, Field, Layout } from '../layout/layout.js';
import { addOffset, type AddressSpace } from '../memory/address-space.js';
import { toHalves } from '../memory/field-table.js';
import type { MetaSocket, WalkResult } from './walk-result.js';
import { EndpointTable } from './endpoint-table.js';
import { IPPROTO_TCP, type MptcpImplementation, type Walk } from './mptcp-implementation.js';
import { expectFourTuple, trailToMetaSocket } from './subflow-trail.js';
import type { SubflowLocation } from './subflow-location.js';
import type { OpenFiles } from './fd-table.js';
import { ServerWalk } from './server-walk.js';
import { SocketReader, type SocketFiles } from './sockets.js';
import {
  FileSocks,
  MetaControlBlocks,
  SUBFLOW,
  SubflowContexts,
  SubflowList,
  SubflowSocks,
} from './multipath-tcp-org-structures.js';
import { listsUnchanged, ListWalker } from './subflow-lists.js';

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
  readonly #fileSocks: FileSocks;
  readonly #list: SubflowList;
  readonly #lists: ListWalker;
  readonly #metas: MetaControlBlocks;
  readonly #contexts: SubflowContexts;
  readonly #socks: SubflowSocks;
  readonly #endpoints: EndpointTable;

  constructor(space: AddressSpace, layout: Layout, bits: PriorityBits, pid: number) {
    super(space, layout, bits, pid);
    const { readSet } = this;
    this.#sockets = new SocketReader(readSet, layout);
    this.#metaEndpoints = new EndpointTable(readSet, layout, { protocol: true });
    this.#fileSocks = new FileSocks(readSet, layout);
    this.#list = new SubflowList(space, readSet, layout);
    this.#lists = new ListWalker(space);
    this.#metas = new MetaControlBlocks(readSet, layout, this.#list);
    this.#contexts = new SubflowContexts(readSet, layout, this.#list, bits);
    this.#socks = new SubflowSocks(readSet, layout);
    this.#endpoints = new EndpointTable(readSet, layout);
  }

  protected walk(files: OpenFiles, problems: string[], plain: PlainPeer[]): WalkResult {
    const { readSet, counters } = this;
    const sockets = this.#sockets.read(files, problems);
    const metaEndpoints = this.#metaEndpoints.read(sockets.socks);
    const { found, metaSocks, mpcbs } = this.#findMetaSockets(sockets, metaEndpoints, plain);
    // These lists end with NULL.
    const ends = new BigUint64Array(found.length);
    const heads = addOffset(mpcbs, this.#list.head.offset);
    const lists = this.#lists.walk(heads, ends, (nodes) => this.#list.nextLinks(nodes));
    const [metas, nodes, socks] = [this.#metas, this.#contexts, this.#socks];
    const metaTable = metas.read(mpcbs);
    const addresses = this.#list.addressesOf(lists.nodes);
    const nodeTable = nodes.read(addresses.contexts);
    const listFields = { heads: metaTable, first: metas.first, nodes: nodeTable, next: nodes.next };
    // The kernel may have changed a list after the walk along it. Then the next observation must not use these results again.
    if (!listsUnchanged(lists, ends, listFields)) readSet.invalidate();
    socks.read(addresses.socks);
    const endpoints = this.#endpoints.read(addresses.socks);
    counters.read(addresses.socks);

    // V8 compares pointers faster as two halves.
    const [metaHalves, mpcbHalves] = [toHalves(metaSocks), toHalves(mpcbs)];
    const [contextHalves, sockHalves] = [toHalves(addresses.contexts), toHalves(addresses.socks)];
    return {
      metas: found,
      metaEndpoints,
      lists,
      contexts: addresses.contexts,
      socks: addresses.socks,
      endpoints,
      counters,
      problemOf: (meta: number) =>
        metas.belongsTo(metaHalves, meta) ? undefined : 'its mptcp_cb belongs to another meta-socket',
      isPlain: (meta: number) => metas.hasFallenBack(meta),
      token: (meta: number) => metas.token(meta),
      isSubflow: (node: number, meta: number) =>
        nodes.belongsTo(sockHalves, node) && socks.belongsTo(mpcbHalves, meta, contextHalves, node),
      isMetaUnchanged: (meta: number) => metas.isUnchanged(meta),
      isNodeUnchanged: (node: number) => nodes.isUnchanged(node) && socks.isUnchanged(node),
      priorities: (node: number) => nodes.priorities(node),
      addressId: (node: number) => nodes.addressId(node),
    };
  }

  /** The meta-sockets among the sockets of the files, and their `mptcp_cb`. The peers of the other ones go to `plain`. */
  #findMetaSockets({ socks, files }: SocketFiles, endpoints: EndpointTable, plain: PlainPeer[]) {
    const fileSocks = this.#fileSocks.read(establishedTcp(socks, endpoints));
    const found: MetaSocket[] = [];
    for (const [row, file] of files.entries()) {
      if (!fileSocks.isRead(row)) continue;
      if (fileSocks.isMeta(row)) found.push({ file, row });
      else plain.push({ pid: this.pid, remote: endpoints.remote(row) });
    }
    const [metaSocks, mpcbs] = [new BigUint64Array(found.length), new BigUint64Array(found.length)];
    for (const [meta, { row }] of found.entries()) {
      metaSocks[meta] = socks[row] as bigint;
      mpcbs[meta] = fileSocks.mpcb(row);
    }
    return { found, metaSocks, mpcbs };
  }
}

/** The established TCP sockets; 0 in the place of each other socket, so that it is not read. */
function establishedTcp(socks: BigUint64Array, endpoints: EndpointTable): BigUint64Array {
  return socks.map((sock, row) =>
    endpoints.isEstablished(row) && endpoints.protocol(row) === IPPROTO_TCP ? sock : 0n,
  );
}
