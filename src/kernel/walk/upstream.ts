import type { PlainPeer } from '../../model/connection.js';
import type { Access } from '../../native/addon.js';
import { shifted, type AddressSpace } from '../memory/address-space.js';
import { Column, halves } from '../memory/column.js';
import type { Meta, Walked } from './connections.js';
import {
  expectEnds,
  IPPROTO_MPTCP,
  IPPROTO_TCP,
  trailToMetaSocket,
  type Family,
  type Place,
  type Walk,
} from './family.js';
import type { OpenFiles } from './files.js';
import { Ends } from './inet.js';
import type { BitField, Field, Layout } from '../layout/layout.js';
import { leadAlike, ListWalk, pointerIn } from './lists.js';
import { PriorityBits } from '../commit/priority-bits.js';
import { ServerWalk } from './server-walk.js';
import { Shape, type BitSlot, type Slot } from '../memory/shape.js';
import { Sockets } from './sockets.js';
import type { Trail } from '../commit/trail.js';
import { upstreamPriority } from '../commit/upstream-priority.js';
import { WishSlots } from '../commit/wish-slots.js';

const CONTEXT = 'mptcp_subflow_context';

/** Upstream's family (Linux 5.6 and later): meta-sockets are `mptcp_sock`, subflows `mptcp_subflow_context`. */
export class Upstream implements Family {
  readonly name = 'upstream';
  readonly bits: PriorityBits;
  readonly #ends: Ends;
  readonly #protocol: BitField;
  readonly #tcpSock: Field;
  readonly #conn: Field;

  /** Whether a layout is of this family. */
  static has(layout: Layout): boolean {
    return layout.has('mptcp_sock', 'conn_list') && layout.has(CONTEXT, 'node');
  }

  constructor(
    private readonly space: AddressSpace,
    private readonly layout: Layout,
    access: Access,
  ) {
    this.bits = new PriorityBits(layout, access, upstreamPriority(layout));
    this.#ends = new Ends(space, layout);
    this.#protocol = layout.bits('sock', 'sk_protocol');
    this.#tcpSock = layout.field(CONTEXT, 'tcp_sock');
    this.#conn = layout.field(CONTEXT, 'conn');
  }

  walk(pid: number): Walk {
    return new UpstreamWalk(this.space, this.layout, this.bits, pid);
  }

  trail(pid: number, files: OpenFiles, place: Place): Trail | undefined {
    const { space, layout } = this;
    const { sk } = place.file;
    const { context, socket } = place;
    const at = (base: bigint, { offset }: Field) => base + BigInt(offset);
    const trail = trailToMetaSocket(space, layout, this.#ends, pid, files, place);
    const kept =
      trail?.expectBitField('meta-socket', 'its protocol', sk, this.#protocol, IPPROTO_MPTCP) &&
      trail.expectPointer('subflow list', 'its place in the list', place.link, place.node) &&
      expectEnds(trail, this.#ends, 'subflow', socket, place) &&
      trail.expectPointer('subflow', 'its socket', at(context, this.#tcpSock), socket) &&
      trail.expectPointer('subflow', 'its meta-socket', at(context, this.#conn), sk) &&
      this.bits.settled.every(({ bit, value }) =>
        trail.expectBitField('subflow', bit.name, context, bit, value),
      );
    return kept ? trail : undefined;
  }
}

class UpstreamWalk extends ServerWalk {
  readonly #sockets: Sockets;
  readonly #metaEnds: Ends;
  readonly #connList: Field;
  readonly #metaShape = new Shape();
  readonly #token: Slot;
  readonly #first: Slot;
  readonly #metas: Column;
  readonly #node: Field;
  readonly #contextShape = new Shape();
  readonly #next: Slot;
  readonly #tcpSock: Slot;
  readonly #conn: Slot;
  readonly #wishes: WishSlots;
  readonly #handshake: readonly BitSlot[];
  readonly #contexts: Column;
  readonly #ends: Ends;
  readonly #lists: ListWalk;

  constructor(space: AddressSpace, layout: Layout, bits: PriorityBits, pid: number) {
    super(space, layout, bits, pid);
    const { reading } = this;
    this.#sockets = new Sockets(reading, layout);
    this.#metaEnds = new Ends(reading, layout, { protocol: true });
    this.#connList = layout.field('mptcp_sock', 'conn_list');
    this.#token = this.#metaShape.add(layout.field('mptcp_sock', 'token'));
    this.#first = this.#metaShape.add(pointerIn(this.#connList));
    this.#metas = new Column(this.#metaShape);
    this.#node = layout.field(CONTEXT, 'node');
    this.#next = this.#contextShape.add(pointerIn(this.#node));
    this.#tcpSock = this.#contextShape.add(layout.field(CONTEXT, 'tcp_sock'));
    this.#conn = this.#contextShape.add(layout.field(CONTEXT, 'conn'));
    this.#wishes = new WishSlots(this.#contextShape, bits);
    this.#handshake = ['mp_capable', 'mp_join'].map((name) =>
      this.#contextShape.addBits(layout.bits(CONTEXT, name)),
    );
    this.#contexts = new Column(this.#contextShape);
    this.#ends = new Ends(reading, layout);
    this.#lists = new ListWalk(space);
  }

  protected follow(open: OpenFiles, problems: string[], plain: PlainPeer[]): Walked {
    const { reading, counters, pid } = this;
    const { files, socks } = this.#sockets.look(open, problems);
    const metaEnds = this.#metaEnds.read(socks);
    const found: Meta[] = [];
    for (const [row, file] of files.entries()) {
      if (!metaEnds.isEstablished(row)) continue;
      const protocol = metaEnds.protocol(row);
      if (protocol === IPPROTO_MPTCP) found.push({ file, row });
      else if (protocol === IPPROTO_TCP) plain.push({ pid, remote: metaEnds.remote(row) });
    }
    const sks = new BigUint64Array(found.length);
    for (let meta = 0; meta < found.length; meta++) sks[meta] = socks[(found[meta] as Meta).row] as bigint;
    const heads = shifted(sks, this.#connList.offset);
    const lists = this.#lists.of(heads, heads, (nodes) => nodes);
    const addresses = shifted(lists.nodes, -this.#node.offset);
    const metas = reading.gather(sks, this.#metaShape, this.#metas);
    const contexts = reading.gather(addresses, this.#contextShape, this.#contexts);
    const followed = { heads: metas, first: this.#first, nodes: contexts, next: this.#next };
    if (!leadAlike(lists, heads, followed)) reading.doubt();
    const subflowSocks = contexts.pointers(this.#tcpSock, addresses.length);
    const ends = this.#ends.read(subflowSocks);
    counters.read(subflowSocks);

    const owners = halves(sks);
    const isSubflow = (node: number, meta: number) => contexts.holds(node, this.#conn, owners, meta);
    const speaksMptcp = (node: number) => this.#handshake.some((bit) => contexts.bits(node, bit) !== 0);
    return {
      metas: found,
      metaEnds,
      lists,
      contexts: addresses,
      socks: subflowSocks,
      ends,
      counters,
      problem: (meta: number) => (metas.isRead(meta) ? undefined : 'unreadable'),
      // A meta-socket that fell back to TCP keeps one subflow with neither handshake done.
      isPlain: (meta: number, first: number, end: number) => {
        for (let node = first; node < end; node++) {
          if (isSubflow(node, meta) && speaksMptcp(node)) return false;
        }
        return end > first;
      },
      token: (meta: number) => metas.u32(meta, this.#token),
      // One that is being torn down on another CPU is no longer one.
      isSubflow,
      isSameMeta: (meta: number) => metas.isSame(meta),
      isSame: (node: number) => contexts.isSame(node),
      wishes: (node: number) => this.#wishes.of(contexts, node),
    };
  }
}
