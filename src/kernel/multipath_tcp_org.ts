import type { Connection, PlainPeer, Subflow } from '../backend/backend.js';
import { formatEndpoint } from '../endpoint.js';
import type { Access } from './addon.js';
import type { AddressSpace } from './address_space.js';
import type { Column } from './column.js';
import {
  expectEnds,
  IPPROTO_TCP,
  trailToMetaSocket,
  type Family,
  type Found,
  type LocatedConnection,
  type LocatedSubflow,
} from './family.js';
import type { OpenFiles } from './files.js';
import { InetReader, type Ends } from './inet.js';
import { bytesOf, type BitField, type Field, type Layout } from './layout.js';
import { walkLists, type ListWalk } from './lists.js';
import { multipathTcpOrgPriority } from './multipath_tcp_org_priority.js';
import { PriorityBits } from './priority_bits.js';
import { sockets, type SocketFile } from './sockets.js';
import { TcpCounters } from './tcp_counters.js';
import type { Trail } from './trail.js';

const SUB = 'mptcp_tcp_sock';

/** A meta-socket and its `mptcp_cb`. */
interface Meta {
  readonly file: SocketFile;
  readonly row: number;
  readonly mpcb: bigint;
}

/**
 * multipath-tcp.org's family (v0.86 to v0.96 on Linux 3.5 to 5.4; paper, section 3.3.3): every TCP socket may be a
 * meta-socket; `tcp_sock.mpc` says so, `tcp_sock.mpcb` leads to its subflows. Subflows are `tcp_sock`, each with a
 * `mptcp_tcp_sock` that holds its priorities. They are linked through `mptcp_tcp_sock.next` (the `connection_list` of
 * `tcp_sock`) or, since v0.95, through `mptcp_tcp_sock.node` (the `conn_list` of `mptcp_tcp_sock`).
 */
export class MultipathTcpOrg implements Family {
  readonly name = 'multipath-tcp.org';
  readonly bits: PriorityBits;
  readonly #inet: InetReader;
  readonly #counters: TcpCounters;
  readonly #protocol: BitField;
  readonly #mpc: BitField;
  readonly #mpcb: Field;
  readonly #mptcp: Field;
  readonly #metaSk: Field;
  readonly #token: Field;
  /** Set once a connection fell back to TCP: it has one subflow, and never more. */
  readonly #fallenBack: readonly BitField[];
  readonly #tp: Field;
  /** The list of subflows: its head in `mptcp_cb`, and the pointer to the next one in `mptcp_tcp_sock`. */
  readonly #list: { readonly head: Field; readonly next: Field; readonly of: 'tcp_sock' | 'mptcp_tcp_sock' };

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
    this.#inet = new InetReader(space, layout);
    this.#counters = new TcpCounters(space, layout);
    this.#protocol = layout.bits('sock', 'sk_protocol');
    this.#mpc = layout.bits('tcp_sock', 'mpc');
    this.#mpcb = layout.field('tcp_sock', 'mpcb');
    this.#mptcp = layout.field('tcp_sock', 'mptcp');
    this.#metaSk = layout.field('mptcp_cb', 'meta_sk');
    this.#token = layout.field('mptcp_cb', 'mptcp_loc_token');
    this.#fallenBack = [
      'infinite_mapping',
      'infinite_mapping_rcv',
      'infinite_mapping_snd',
      'send_infinite_mapping',
    ]
      .filter((name) => layout.has('mptcp_cb', name))
      .map((name) => layout.bits('mptcp_cb', name));
    this.#tp = layout.field(SUB, 'tp');
    this.#list = layout.has('mptcp_cb', 'conn_list')
      ? { head: layout.field('mptcp_cb', 'conn_list'), next: layout.field(SUB, 'node'), of: SUB }
      : {
          head: layout.field('mptcp_cb', 'connection_list'),
          next: layout.field(SUB, 'next'),
          of: 'tcp_sock',
        };
  }

  connections(pid: number, files: OpenFiles): Found {
    const problems: string[] = [];
    const found = sockets(this.space, this.layout, files, problems);
    const socks = BigUint64Array.from(found, ({ sk }) => sk);
    const ends = this.#inet.read(socks);
    const protocols = this.space.gather(socks, [bytesOf(this.#protocol)]);
    const isTcp = (row: number) =>
      ends.isEstablished(row) && protocols.isRead(row) && protocols.bits(row, this.#protocol) === IPPROTO_TCP;
    const tcp = [...found.entries()].filter(([row]) => isTcp(row));
    const tcpSocks = this.space.gather(
      BigUint64Array.from(tcp, ([, { sk }]) => sk),
      [bytesOf(this.#mpc), this.#mpcb],
    );
    const metas: Meta[] = [];
    const plain: PlainPeer[] = [];
    for (const [at, [row, file]] of tcp.entries()) {
      if (!tcpSocks.isRead(at)) continue;
      const mpcb = tcpSocks.u64(at, this.#mpcb);
      if (tcpSocks.bits(at, this.#mpc) === 1 && mpcb !== 0n) metas.push({ file, row, mpcb });
      else plain.push({ pid, remote: ends.remote(row) });
    }
    const lists = walkLists(
      this.space,
      metas.map(({ mpcb }) => mpcb + BigInt(this.#list.head.offset)),
      (node) => node === 0n,
      (nodes) => this.#nextLinks(nodes),
    );
    return { connections: this.#describe(pid, metas, ends, lists, problems, plain), plain, problems };
  }

  /** Where the pointers to the next ones lie: in `mptcp_tcp_sock`, to which a `tcp_sock` on the list leads first. */
  #nextLinks(nodes: readonly bigint[]): (bigint | undefined)[] {
    // an hlist_node's own `next` is its first member
    if (this.#list.of === SUB) return [...nodes];
    const subs = this.#pointers(nodes, this.#mptcp);
    return subs.map((sub) => (sub === undefined ? undefined : sub + BigInt(this.#list.next.offset)));
  }

  /** The `mptcp_tcp_sock` and the `tcp_sock` of each node; 0 for what cannot be read. */
  #subflowsOf(nodes: readonly bigint[]): { subs: bigint[]; socks: bigint[] } {
    if (this.#list.of === SUB) {
      const subs = nodes.map((node) => node - BigInt(this.#list.next.offset));
      return { subs, socks: this.#pointers(subs, this.#tp).map((sock) => sock ?? 0n) };
    }
    return { subs: this.#pointers(nodes, this.#mptcp).map((sub) => sub ?? 0n), socks: [...nodes] };
  }

  #pointers(bases: readonly bigint[], field: Field): (bigint | undefined)[] {
    const rows = this.space.gather(BigUint64Array.from(bases), [field]);
    return bases.map((_, row) => (rows.isRead(row) ? rows.u64(row, field) : undefined));
  }

  #describe(
    pid: number,
    metas: readonly Meta[],
    metaEnds: Ends,
    lists: readonly ListWalk[],
    problems: string[],
    plain: PlainPeer[],
  ): LocatedConnection[] {
    const mpcbs = this.space.gather(
      BigUint64Array.from(metas, ({ mpcb }) => mpcb),
      [this.#metaSk, this.#token, ...this.#fallenBack.map(bytesOf)],
    );
    const { subs, socks } = this.#subflowsOf(lists.flatMap(({ nodes }) => nodes.map(({ node }) => node)));
    const { ours, peers, sendMpPrio } = this.bits;
    const contexts = this.space.gather(BigUint64Array.from(subs), [
      this.#tp,
      ...[ours, peers, sendMpPrio].map(bytesOf),
    ]);
    const tcpSocks = this.space.gather(BigUint64Array.from(socks), [this.#mpcb, this.#mptcp]);
    const ends = this.#inet.read(BigUint64Array.from(socks));
    const counters = this.#counters.read(BigUint64Array.from(socks));

    const connections: LocatedConnection[] = [];
    let next = 0;
    for (const [index, { file, row, mpcb }] of metas.entries()) {
      const { nodes, broken } = lists[index] as ListWalk;
      const [local, remote] = [metaEnds.local(row), metaEnds.remote(row)];
      const first = next;
      next += nodes.length;
      const isMeta = mpcbs.isRead(index) && mpcbs.u64(index, this.#metaSk) === file.sk;
      if (broken !== undefined || !isMeta) {
        problems.push(
          `fd ${file.fd} (${formatEndpoint(remote)}): ${broken ?? 'its mptcp_cb is not its own'}`,
        );
        continue;
      }
      if (this.#fallenBack.some((bit) => mpcbs.bits(index, bit) !== 0)) {
        plain.push({ pid, remote });
        continue;
      }
      const subflows: LocatedSubflow[] = [];
      for (const [offset, listNode] of nodes.entries()) {
        const at = first + offset;
        const [context, socket] = [subs[at] as bigint, socks[at] as bigint];
        // A subflow that is being torn down on another CPU: it is no longer one.
        if (!contexts.isRead(at) || !tcpSocks.isRead(at) || contexts.u64(at, this.#tp) !== socket) continue;
        if (tcpSocks.u64(at, this.#mpcb) !== mpcb || tcpSocks.u64(at, this.#mptcp) !== context) continue;
        if (!ends.isEstablished(at)) continue;
        const subflow = { ...this.#subflow(contexts, ends, at), ...counters(at) };
        subflows.push({ subflow, context, socket, ...listNode });
      }
      const connection: Connection = {
        pid,
        remote,
        local,
        token: mpcbs.u32(index, this.#token),
        subflows: subflows.map(({ subflow }) => subflow),
      };
      connections.push({ connection, file, subflows });
    }
    return connections;
  }

  #subflow(contexts: Column, ends: Ends, at: number): Subflow {
    const { ours, peers, sendMpPrio } = this.bits;
    const priority = ({ bitOffset }: BitField) => (contexts.bit(at, bitOffset) ? 'backup' : 'active');
    return {
      local: ends.local(at),
      remote: ends.remote(at),
      ours: priority(ours),
      peers: priority(peers),
      mpPrioPending: contexts.bit(at, sendMpPrio.bitOffset),
    };
  }

  trail(
    pid: number,
    files: OpenFiles,
    located: LocatedConnection,
    target: LocatedSubflow,
  ): Trail | undefined {
    const { sk } = located.file;
    const [mpcb] = this.#pointers([sk], this.#mpcb);
    const trail = trailToMetaSocket(this.space, this.layout, this.#inet, pid, files, located);
    if (!trail || mpcb === undefined) return undefined;
    const [context, socket] = [target.context, target.socket];
    const at = (base: bigint, { offset }: Field) => base + BigInt(offset);
    const kept =
      trail.expectBitField('meta-socket', 'its protocol', sk, this.#protocol, IPPROTO_TCP) &&
      trail.expectBitField('meta-socket', 'its mpc', sk, this.#mpc, 1) &&
      trail.expectPointer('meta-socket', 'its mptcp_cb', at(sk, this.#mpcb), mpcb) &&
      trail.expectPointer('meta-socket', 'the owner of its mptcp_cb', at(mpcb, this.#metaSk), sk) &&
      trail.expectPointer('subflow list', 'its place in the list', target.link, target.node) &&
      expectEnds(trail, this.#inet, 'subflow', socket, target.subflow) &&
      trail.expectPointer('subflow', 'its mptcp_cb', at(socket, this.#mpcb), mpcb) &&
      trail.expectPointer('subflow', 'its mptcp_tcp_sock', at(socket, this.#mptcp), context) &&
      trail.expectPointer('subflow', 'its socket', at(context, this.#tp), socket) &&
      this.bits.settled.every(({ bit, value }) =>
        trail.expectBitField('subflow', bit.name, context, bit, value),
      );
    return kept ? trail : undefined;
  }
}
