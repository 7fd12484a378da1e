import type { Connection, PlainPeer, Priority, Subflow } from '../backend/backend.js';
import { formatEndpoint } from '../endpoint.js';
import type { Access } from './addon.js';
import type { AddressSpace } from './address_space.js';
import type { Column } from './column.js';
import {
  expectEnds,
  IPPROTO_MPTCP,
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
import { PriorityBits } from './priority_bits.js';
import { sockets, type SocketFile } from './sockets.js';
import { TcpCounters } from './tcp_counters.js';
import type { Trail } from './trail.js';
import { upstreamPriority } from './upstream_priority.js';

const CONTEXT = 'mptcp_subflow_context';

type PeersWishes = Map<bigint, { readonly ends: string; readonly wish: Priority }>;

/** Upstream's family (Linux 5.6 and later): meta-sockets are `mptcp_sock`, subflows `mptcp_subflow_context`. */
export class Upstream implements Family {
  readonly name = 'upstream';
  readonly bits: PriorityBits;
  readonly #inet: InetReader;
  readonly #counters: TcpCounters;
  readonly #protocol: BitField;
  readonly #connList: Field;
  readonly #token: Field;
  readonly #node: Field;
  readonly #tcpSock: Field;
  readonly #conn: Field;
  readonly #handshake: readonly BitField[];
  /** By process, then by context: the peers' wishes as they were before ours was written over them. */
  readonly #peersWishes = new Map<number, PeersWishes>();

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
    this.#inet = new InetReader(space, layout);
    this.#counters = new TcpCounters(space, layout);
    this.#protocol = layout.bits('sock', 'sk_protocol');
    this.#connList = layout.field('mptcp_sock', 'conn_list');
    this.#token = layout.field('mptcp_sock', 'token');
    this.#node = layout.field(CONTEXT, 'node');
    this.#tcpSock = layout.field(CONTEXT, 'tcp_sock');
    this.#conn = layout.field(CONTEXT, 'conn');
    this.#handshake = ['mp_capable', 'mp_join'].map((name) => layout.bits(CONTEXT, name));
  }

  connections(pid: number, files: OpenFiles): Found {
    const problems: string[] = [];
    const found = sockets(this.space, this.layout, files, problems);
    const socks = BigUint64Array.from(found, ({ sk }) => sk);
    const ends = this.#inet.read(socks);
    const protocols = this.space.gather(socks, [bytesOf(this.#protocol)]);
    const metas: { file: SocketFile; row: number }[] = [];
    const plain: PlainPeer[] = [];
    for (const [row, file] of found.entries()) {
      if (!ends.isEstablished(row) || !protocols.isRead(row)) continue;
      const protocol = protocols.bits(row, this.#protocol);
      if (protocol === IPPROTO_MPTCP) metas.push({ file, row });
      else if (protocol === IPPROTO_TCP) plain.push({ pid, remote: ends.remote(row) });
    }
    const heads = metas.map(({ file }) => file.sk + BigInt(this.#connList.offset));
    const lists = walkLists(
      this.space,
      heads,
      (node, index) => node === heads[index],
      (nodes) => nodes,
    );
    const connections = this.#describe(pid, metas, ends, lists, problems, plain);
    return { connections, plain, problems };
  }

  #describe(
    pid: number,
    metas: readonly { file: SocketFile; row: number }[],
    metaEnds: Ends,
    lists: readonly ListWalk[],
    problems: string[],
    plain: PlainPeer[],
  ): LocatedConnection[] {
    const tokens = this.space.gather(
      BigUint64Array.from(metas, ({ file }) => file.sk),
      [this.#token],
    );
    const toContext = BigInt(this.#node.offset);
    const addresses = lists.flatMap(({ nodes }) => nodes.map(({ node }) => node - toContext));
    const contexts = this.space.gather(BigUint64Array.from(addresses), [
      this.#tcpSock,
      this.#conn,
      ...[this.bits.ours, this.bits.peers, this.bits.sendMpPrio, ...this.#handshake].map(bytesOf),
    ]);
    const socks = BigUint64Array.from(addresses, (_, at) =>
      contexts.isRead(at) ? contexts.u64(at, this.#tcpSock) : 0n,
    );
    const ends = this.#inet.read(socks);
    const counters = this.#counters.read(socks);

    const connections: LocatedConnection[] = [];
    const wishes = { before: this.#peersWishes.get(pid), now: new Map() as PeersWishes };
    this.#peersWishes.set(pid, wishes.now);
    let next = 0;
    for (const [index, { file, row }] of metas.entries()) {
      const { nodes, broken } = lists[index] as ListWalk;
      const [local, remote] = [metaEnds.local(row), metaEnds.remote(row)];
      const first = next;
      next += nodes.length;
      if (broken !== undefined || !tokens.isRead(index)) {
        problems.push(`fd ${file.fd} (${formatEndpoint(remote)}): ${broken ?? 'unreadable'}`);
        continue;
      }
      const subflows: LocatedSubflow[] = [];
      let speaksMptcp = false;
      for (const [offset, listNode] of nodes.entries()) {
        const at = first + offset;
        // A subflow that is being torn down on another CPU: it is no longer one.
        if (!contexts.isRead(at) || contexts.u64(at, this.#conn) !== file.sk) continue;
        speaksMptcp ||= this.#handshake.some(({ bitOffset }) => contexts.bit(at, bitOffset));
        if (!ends.isEstablished(at)) continue;
        const [context, socket] = [addresses[at] as bigint, socks[at] as bigint];
        const subflow = { ...this.#subflow(contexts, ends, at, context, wishes), ...counters(at) };
        subflows.push({ subflow, context, socket, ...listNode });
      }
      // A meta-socket that fell back to TCP keeps one subflow with neither handshake done.
      if (nodes.length > 0 && !speaksMptcp) {
        plain.push({ pid, remote });
        continue;
      }
      const connection: Connection = {
        pid,
        remote,
        local,
        token: tokens.u32(index, this.#token),
        subflows: subflows.map(({ subflow }) => subflow),
      };
      connections.push({ connection, file, subflows });
    }
    return connections;
  }

  /**
   * Where the scheduler heeds `backup` alone, ours is written over the peer's wish, which is kept here meanwhile: after a
   * restart a subflow that we made backup counts as one that its peer wishes active. A peer that takes its backup back
   * takes ours with it: then ours is not in force, and is told so.
   */
  #subflow(
    contexts: Column,
    ends: Ends,
    at: number,
    context: bigint,
    wishes: { readonly before: PeersWishes | undefined; readonly now: PeersWishes },
  ): Subflow {
    const bit = ({ bitOffset }: BitField) => contexts.bit(at, bitOffset);
    const [ours, peers] = [bit(this.bits.ours), bit(this.bits.peers)];
    const [local, remote] = [ends.local(at), ends.remote(at)];
    const mpPrioPending = bit(this.bits.sendMpPrio);
    if (this.bits.heeds === 'either') {
      return { local, remote, ours: priority(ours), peers: priority(peers), mpPrioPending };
    }
    const key = `${formatEndpoint(local)} ${formatEndpoint(remote)}`;
    const known = wishes.before?.get(context);
    const wish = ours && peers && known?.ends === key ? known.wish : priority(!ours && peers);
    wishes.now.set(context, { ends: key, wish });
    return { local, remote, ours: priority(ours && peers), peers: wish, mpPrioPending };
  }

  trail(
    pid: number,
    files: OpenFiles,
    located: LocatedConnection,
    target: LocatedSubflow,
  ): Trail | undefined {
    const { space, layout } = this;
    const { sk } = located.file;
    const trail = trailToMetaSocket(space, layout, this.#inet, pid, files, located);
    const kept =
      trail?.expectBitField('meta-socket', 'its protocol', sk, this.#protocol, IPPROTO_MPTCP) &&
      trail.expectPointer('subflow list', 'its place in the list', target.link, target.node) &&
      expectEnds(trail, this.#inet, 'subflow', target.socket, target.subflow) &&
      trail.expectPointer(
        'subflow',
        'its socket',
        target.context + BigInt(this.#tcpSock.offset),
        target.socket,
      ) &&
      trail.expectPointer('subflow', 'its meta-socket', target.context + BigInt(this.#conn.offset), sk) &&
      this.bits.settled.every(({ bit, value }) =>
        trail.expectBitField('subflow', bit.name, target.context, bit, value),
      );
    return kept ? trail : undefined;
  }
}

function priority(isBackup: boolean): Priority {
  return isBackup ? 'backup' : 'active';
}
