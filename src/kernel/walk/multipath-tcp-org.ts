import type { PlainPeer } from '../../model/connection.js';
import type { Access } from '../../native/addon.js';
import { shifted, type AddressSpace } from '../memory/address-space.js';
import { Column, halves } from '../memory/column.js';
import type { Meta, Walked } from './connections.js';
import { expectEnds, IPPROTO_TCP, trailToMetaSocket, type Family, type Place, type Walk } from './family.js';
import type { OpenFiles } from './files.js';
import { Ends } from './inet.js';
import type { BitField, Field, Layout } from '../layout/layout.js';
import { leadAlike, ListWalk, pointerIn } from './lists.js';
import { multipathTcpOrgPriority } from '../commit/multipath-tcp-org-priority.js';
import { Pointers } from '../memory/pointers.js';
import { PriorityBits } from '../commit/priority-bits.js';
import { ServerWalk } from './server-walk.js';
import { Shape, type BitSlot, type Slot } from '../memory/shape.js';
import { Sockets } from './sockets.js';
import type { Trail } from '../commit/trail.js';
import { WishSlots } from '../commit/wish-slots.js';

const SUB = 'mptcp_tcp_sock';

/**
 * multipath-tcp.org's family (v0.86 to v0.96 on Linux 3.5 to 5.4; paper, section 3.3.3): every TCP socket may be a
 * meta-socket; `tcp_sock.mpc` says so, `tcp_sock.mpcb` leads to its subflows. Subflows are `tcp_sock`, each with a
 * `mptcp_tcp_sock` that holds its priorities. They are linked through `mptcp_tcp_sock.next` (the `connection_list` of
 * `tcp_sock`) or, since v0.95, through `mptcp_tcp_sock.node` (the `conn_list` of `mptcp_tcp_sock`).
 */
export class MultipathTcpOrg implements Family {
  readonly name = 'multipath-tcp.org';
  readonly bits: PriorityBits;
  readonly #ends: Ends;
  readonly #protocol: BitField;
  readonly #mpc: BitField;
  readonly #mpcb: Field;
  readonly #mptcp: Field;
  readonly #metaSk: Field;
  readonly #tp: Field;

  /** Whether a layout is of this family. */
  static has(layout: Layout): boolean {
    return layout.has('tcp_sock', 'mpcb') && layout.has(SUB, 'low_prio');
  }

  constructor(
    private readonly space: AddressSpace,
    private readonly layout: Layout,
    access: Access,
    checksCopies: boolean,
  ) {
    this.bits = new PriorityBits(layout, access, multipathTcpOrgPriority(layout, access, checksCopies));
    this.#ends = new Ends(space, layout);
    this.#protocol = layout.bits('sock', 'sk_protocol');
    this.#mpc = layout.bits('tcp_sock', 'mpc');
    this.#mpcb = layout.field('tcp_sock', 'mpcb');
    this.#mptcp = layout.field('tcp_sock', 'mptcp');
    this.#metaSk = layout.field('mptcp_cb', 'meta_sk');
    this.#tp = layout.field(SUB, 'tp');
  }

  walk(pid: number): Walk {
    return new MultipathTcpOrgWalk(this.space, this.layout, this.bits, pid);
  }

  trail(pid: number, files: OpenFiles, place: Place): Trail | undefined {
    const { sk } = place.file;
    const at = (base: bigint, { offset }: Field) => base + BigInt(offset);
    const mpcb = this.space.pointer(at(sk, this.#mpcb));
    const trail = trailToMetaSocket(this.space, this.layout, this.#ends, pid, files, place);
    if (!trail || mpcb === undefined) return undefined;
    const { context, socket } = place;
    const kept =
      trail.expectBitField('meta-socket', 'its protocol', sk, this.#protocol, IPPROTO_TCP) &&
      trail.expectBitField('meta-socket', 'its mpc', sk, this.#mpc, 1) &&
      trail.expectPointer('meta-socket', 'its mptcp_cb', at(sk, this.#mpcb), mpcb) &&
      trail.expectPointer('meta-socket', 'the owner of its mptcp_cb', at(mpcb, this.#metaSk), sk) &&
      trail.expectPointer('subflow list', 'its place in the list', place.link, place.node) &&
      expectEnds(trail, this.#ends, 'subflow', socket, place) &&
      trail.expectPointer('subflow', 'its mptcp_cb', at(socket, this.#mpcb), mpcb) &&
      trail.expectPointer('subflow', 'its mptcp_tcp_sock', at(socket, this.#mptcp), context) &&
      trail.expectPointer('subflow', 'its socket', at(context, this.#tp), socket) &&
      this.bits.settled.every(({ bit, value }) =>
        trail.expectBitField('subflow', bit.name, context, bit, value),
      );
    return kept ? trail : undefined;
  }
}

class MultipathTcpOrgWalk extends ServerWalk {
  readonly #sockets: Sockets;
  readonly #metaEnds: Ends;
  readonly #tcpShape = new Shape();
  readonly #mpc: BitSlot;
  readonly #mpcb: Slot;
  readonly #tcps: Column;
  readonly #metaShape = new Shape();
  readonly #metaSk: Slot;
  readonly #token: Slot;
  /** Set once a connection fell back to TCP: it has one subflow, and never more. */
  readonly #fallenBack: readonly BitSlot[];
  readonly #first: Slot;
  readonly #metas: Column;
  /** The list of subflows: its head in `mptcp_cb`, and the pointer to the next one in `mptcp_tcp_sock`. */
  readonly #list: { readonly head: Field; readonly next: Field; readonly of: 'tcp_sock' | 'mptcp_tcp_sock' };
  /** From one to the other: `tcp_sock.mptcp` and `mptcp_tcp_sock.tp`. */
  readonly #subOf: Pointers;
  /** The former, on the way along the lists. */
  readonly #subsAhead: Pointers;
  readonly #sockOf: Pointers;
  readonly #contextShape = new Shape();
  readonly #next: Slot;
  readonly #tp: Slot;
  readonly #wishes: WishSlots;
  readonly #contexts: Column;
  readonly #sockShape = new Shape();
  readonly #mpcbOf: Slot;
  readonly #mptcpOf: Slot;
  readonly #socks: Column;
  readonly #ends: Ends;
  readonly #lists: ListWalk;

  constructor(space: AddressSpace, layout: Layout, bits: PriorityBits, pid: number) {
    super(space, layout, bits, pid);
    const { reading } = this;
    this.#sockets = new Sockets(reading, layout);
    this.#metaEnds = new Ends(reading, layout, { protocol: true });
    const [mpcb, mptcp] = [layout.field('tcp_sock', 'mpcb'), layout.field('tcp_sock', 'mptcp')];
    this.#mpc = this.#tcpShape.addBits(layout.bits('tcp_sock', 'mpc'));
    this.#mpcb = this.#tcpShape.add(mpcb);
    this.#tcps = new Column(this.#tcpShape);
    this.#metaSk = this.#metaShape.add(layout.field('mptcp_cb', 'meta_sk'));
    this.#token = this.#metaShape.add(layout.field('mptcp_cb', 'mptcp_loc_token'));
    this.#fallenBack = [
      'infinite_mapping',
      'infinite_mapping_rcv',
      'infinite_mapping_snd',
      'send_infinite_mapping',
    ]
      .filter((name) => layout.has('mptcp_cb', name))
      .map((name) => this.#metaShape.addBits(layout.bits('mptcp_cb', name)));
    this.#list = layout.has('mptcp_cb', 'conn_list')
      ? { head: layout.field('mptcp_cb', 'conn_list'), next: layout.field(SUB, 'node'), of: SUB }
      : {
          head: layout.field('mptcp_cb', 'connection_list'),
          next: layout.field(SUB, 'next'),
          of: 'tcp_sock',
        };
    this.#first = this.#metaShape.add(pointerIn(this.#list.head));
    this.#metas = new Column(this.#metaShape);
    this.#subOf = new Pointers(reading, mptcp);
    this.#subsAhead = new Pointers(space, mptcp);
    this.#sockOf = new Pointers(reading, layout.field(SUB, 'tp'));
    this.#next = this.#contextShape.add(pointerIn(this.#list.next));
    this.#tp = this.#contextShape.add(layout.field(SUB, 'tp'));
    this.#wishes = new WishSlots(this.#contextShape, bits);
    this.#contexts = new Column(this.#contextShape);
    this.#mpcbOf = this.#sockShape.add(mpcb);
    this.#mptcpOf = this.#sockShape.add(mptcp);
    this.#socks = new Column(this.#sockShape);
    this.#ends = new Ends(reading, layout);
    this.#lists = new ListWalk(space);
  }

  protected follow(open: OpenFiles, problems: string[], plain: PlainPeer[]): Walked {
    const { reading, counters, pid } = this;
    const { files, socks } = this.#sockets.look(open, problems);
    const metaEnds = this.#metaEnds.read(socks);
    const ofTcp = new BigUint64Array(socks.length);
    for (let row = 0; row < socks.length; row++) {
      if (metaEnds.isEstablished(row) && metaEnds.protocol(row) === IPPROTO_TCP)
        ofTcp[row] = socks[row] as bigint;
    }
    const tcps = reading.gather(ofTcp, this.#tcpShape, this.#tcps);
    const found: Meta[] = [];
    for (const [row, file] of files.entries()) {
      if (!tcps.isRead(row)) continue;
      const isMeta = tcps.bits(row, this.#mpc) === 1 && !tcps.isNull(row, this.#mpcb);
      if (isMeta) found.push({ file, row });
      else plain.push({ pid, remote: metaEnds.remote(row) });
    }
    const [sks, mpcbs] = [new BigUint64Array(found.length), new BigUint64Array(found.length)];
    for (const [meta, { row }] of found.entries()) {
      sks[meta] = socks[row] as bigint;
      mpcbs[meta] = tcps.u64(row, this.#mpcb);
    }
    const stops = new BigUint64Array(found.length);
    const lists = this.#lists.of(shifted(mpcbs, this.#list.head.offset), stops, (nodes) =>
      this.#nextLinks(nodes),
    );
    const metas = reading.gather(mpcbs, this.#metaShape, this.#metas);
    const { subs, subSocks } = this.#subflowsOf(lists.nodes);
    const contexts = reading.gather(subs, this.#contextShape, this.#contexts);
    const followed = { heads: metas, first: this.#first, nodes: contexts, next: this.#next };
    if (!leadAlike(lists, stops, followed)) reading.doubt();
    const tcpSocks = reading.gather(subSocks, this.#sockShape, this.#socks);
    const ends = this.#ends.read(subSocks);
    counters.read(subSocks);

    const [own, ownMpcbs, ownSubs, ownSocks] = [halves(sks), halves(mpcbs), halves(subs), halves(subSocks)];
    return {
      metas: found,
      metaEnds,
      lists,
      contexts: subs,
      socks: subSocks,
      ends,
      counters,
      problem: (meta: number) =>
        metas.holds(meta, this.#metaSk, own, meta) ? undefined : 'its mptcp_cb is not its own',
      isPlain: (meta: number) => this.#fallenBack.some((bit) => metas.bits(meta, bit) !== 0),
      token: (meta: number) => metas.u32(meta, this.#token),
      // One that is being torn down on another CPU is no longer one.
      isSubflow: (node: number, meta: number) =>
        contexts.isRead(node) &&
        contexts.holds(node, this.#tp, ownSocks, node) &&
        tcpSocks.isRead(node) &&
        tcpSocks.holds(node, this.#mpcbOf, ownMpcbs, meta) &&
        tcpSocks.holds(node, this.#mptcpOf, ownSubs, node),
      isSameMeta: (meta: number) => metas.isSame(meta),
      isSame: (node: number) => contexts.isSame(node) && tcpSocks.isSame(node),
      wishes: (node: number) => this.#wishes.of(contexts, node),
    };
  }

  /** Where the pointers to the next ones lie: in `mptcp_tcp_sock`, to which a `tcp_sock` on the list leads first. */
  #nextLinks(nodes: BigUint64Array): BigUint64Array {
    // an hlist_node's own `next` is its first member
    if (this.#list.of === SUB) return nodes;
    return shifted(this.#subsAhead.read(nodes), this.#list.next.offset);
  }

  /** The `mptcp_tcp_sock` and the `tcp_sock` of each node; 0 for what cannot be read. */
  #subflowsOf(nodes: BigUint64Array): { subs: BigUint64Array; subSocks: BigUint64Array } {
    if (this.#list.of !== SUB) return { subs: this.#subOf.read(nodes), subSocks: nodes };
    const subs = shifted(nodes, -this.#list.next.offset);
    return { subs, subSocks: this.#sockOf.read(subs) };
  }
}
