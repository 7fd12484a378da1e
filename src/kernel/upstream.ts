import type { Connection, PlainPeer, Subflow } from '../backend/backend.js';
import type { Endpoint } from '../endpoint.js';
import type { AddressSpace } from './address_space.js';
import type { Column } from './column.js';
import type { OpenFiles } from './files.js';
import { addressFields, allInetFields, endpoints, inetFields, type InetFields } from './inet.js';
import type { BitField, Field, Layout } from './layout.js';
import { sockets, type SocketFile } from './sockets.js';
import { Trail } from './trail.js';
import type { PriorityBits } from './upstream_priority.js';

/** Members of upstream MPTCP (Linux 5.6 and later), beside those of every family. */
export const UPSTREAM_MEMBERS = {
  mptcp_sock: ['conn_list', 'token'],
  mptcp_subflow_context: ['node', 'tcp_sock', 'conn', 'fully_established', 'pm_notified'],
} as const;

const CONTEXT = 'mptcp_subflow_context';
// include/uapi/linux/in.h; include/net/tcp_states.h
const IPPROTO_TCP = 6;
const IPPROTO_MPTCP = 262;
const TCP_ESTABLISHED = 1;
/** Local and remote addresses are at most 8 each (net/mptcp/protocol.h, MPTCP_SUBFLOWS_MAX 8); twice over, and some. */
const MAX_SUBFLOWS = 160;
const POINTER: Field = { offset: 0, size: 8 };

/** A subflow and the addresses that led to it. */
export interface LocatedSubflow {
  readonly subflow: Subflow;
  /** `mptcp_subflow_context`. */
  readonly context: bigint;
  /** Its `tcp_sock`. */
  readonly socket: bigint;
  /** The list node whose `next` is ours: the one before, or the head in the meta-socket. */
  readonly previous: bigint;
}

/** A connection and the addresses that led to it. */
export interface LocatedConnection {
  readonly connection: Connection;
  readonly file: SocketFile;
  readonly subflows: readonly LocatedSubflow[];
}

export interface Found {
  readonly connections: readonly LocatedConnection[];
  readonly plain: readonly PlainPeer[];
  readonly problems: readonly string[];
}

interface Row {
  readonly file: SocketFile;
  /** Row of the meta-socket's column. */
  readonly row: number;
  readonly contexts: { address: bigint; previous: bigint }[];
  node: bigint;
  broken?: string;
}

/** Upstream's family: from sockets to meta-sockets (`mptcp_sock`) to subflows (`mptcp_subflow_context`). */
export class Upstream {
  readonly #inet: InetFields;
  readonly #protocol: Field;
  readonly #connList: Field;
  readonly #token: Field;
  readonly #node: Field;
  readonly #tcpSock: Field;
  readonly #conn: Field;

  constructor(
    private readonly space: AddressSpace,
    private readonly layout: Layout,
    private readonly bits: PriorityBits,
  ) {
    this.#inet = inetFields(layout);
    this.#protocol = layout.field('sock', 'sk_protocol');
    this.#connList = layout.field('mptcp_sock', 'conn_list');
    this.#token = layout.field('mptcp_sock', 'token');
    this.#node = layout.field(CONTEXT, 'node');
    this.#tcpSock = layout.field(CONTEXT, 'tcp_sock');
    this.#conn = layout.field(CONTEXT, 'conn');
  }

  /** Every established MPTCP connection and plain TCP connection among a process's files, in one pass. */
  connections(pid: number, files: OpenFiles): Found {
    const problems: string[] = [];
    const found = sockets(this.space, this.layout, files, problems);
    const heads = this.space.gather(
      BigUint64Array.from(found, ({ sk }) => sk),
      [...allInetFields(this.#inet), this.#protocol],
    );
    const rows: Row[] = [];
    const plain: PlainPeer[] = [];
    for (const [row, file] of found.entries()) {
      if (!heads.isRead(row) || heads.u32(row, this.#inet.state) !== TCP_ESTABLISHED) continue;
      const protocol = heads.u32(row, this.#protocol);
      if (protocol === IPPROTO_MPTCP) {
        const head = file.sk + BigInt(this.#connList.offset);
        rows.push({ file, row, contexts: [], node: head });
      } else if (protocol === IPPROTO_TCP) {
        plain.push({ pid, remote: endpoints(heads, row, this.#inet).remote });
      }
    }
    this.#followLists(rows);
    const connections = this.#describe(pid, rows, heads, problems, plain);
    return { connections, plain, problems };
  }

  /** All connections' lists in step: one gather for the first subflow of each, one for the second, and so on. */
  #followLists(rows: readonly Row[]): void {
    let open = [...rows];
    for (let step = 0; open.length > 0; step++) {
      const nexts = this.space.gather(
        BigUint64Array.from(open, ({ node }) => node),
        [POINTER],
      );
      const still: Row[] = [];
      for (const [index, row] of open.entries()) {
        const head = row.file.sk + BigInt(this.#connList.offset);
        const next = nexts.isRead(index) ? nexts.u64(index, POINTER) : undefined;
        if (next === head) continue;
        if (next === undefined) row.broken = 'its list of subflows leads out of memory';
        else if (step === MAX_SUBFLOWS) row.broken = 'its list of subflows does not close';
        else {
          row.contexts.push({ address: next - BigInt(this.#node.offset), previous: row.node });
          row.node = next;
          still.push(row);
        }
      }
      open = still;
    }
  }

  #describe(
    pid: number,
    rows: readonly Row[],
    heads: Column,
    problems: string[],
    plain: PlainPeer[],
  ): LocatedConnection[] {
    const tokens = this.space.gather(
      BigUint64Array.from(rows, ({ file }) => file.sk),
      [this.#token],
    );
    const contextFields = [this.#tcpSock, this.#conn, ...this.#bitBytes()];
    const addresses = rows.flatMap(({ contexts }) => contexts.map(({ address }) => address));
    const contexts = this.space.gather(BigUint64Array.from(addresses), contextFields);
    const socks = BigUint64Array.from(addresses, (_, index) =>
      contexts.isRead(index) ? contexts.u64(index, this.#tcpSock) : 0n,
    );
    const ends = this.space.gather(socks, allInetFields(this.#inet));

    const connections: LocatedConnection[] = [];
    let next = 0;
    for (const [index, { file, row, contexts: ours, broken }] of rows.entries()) {
      const { local, remote } = endpoints(heads, row, this.#inet);
      const first = next;
      next += ours.length;
      if (broken !== undefined || !tokens.isRead(index)) {
        problems.push(`fd ${file.fd} (${remote.address}:${remote.port}): ${broken ?? 'unreadable'}`);
        continue;
      }
      const subflows: LocatedSubflow[] = [];
      let speaksMptcp = false;
      for (const [offset, { address, previous }] of ours.entries()) {
        const at = first + offset;
        // A subflow that is being torn down on another CPU: it is no longer one.
        if (!contexts.isRead(at) || contexts.u64(at, this.#conn) !== file.sk || !ends.isRead(at)) continue;
        speaksMptcp ||= this.#isMptcp(contexts, at);
        if (ends.u32(at, this.#inet.state) !== TCP_ESTABLISHED) continue;
        const priority = (bit: BitField) => (contexts.bit(at, bit.bitOffset) ? 'backup' : 'active');
        const subflow: Subflow = {
          ...endpoints(ends, at, this.#inet),
          ours: priority(this.bits.ours),
          peers: priority(this.bits.peers),
          mpPrioPending: contexts.bit(at, this.bits.sendMpPrio.bitOffset),
        };
        subflows.push({ subflow, context: address, socket: socks[at] as bigint, previous });
      }
      // A meta-socket that fell back to TCP keeps one subflow with neither handshake done.
      if (ours.length > 0 && !speaksMptcp) {
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

  #isMptcp(contexts: Column, row: number): boolean {
    return this.#handshakeBits().some(({ bitOffset }) => contexts.bit(row, bitOffset));
  }

  #handshakeBits(): BitField[] {
    return this.layout.bitFields(CONTEXT).filter(({ name }) => name === 'mp_capable' || name === 'mp_join');
  }

  #bitBytes(): Field[] {
    return [this.bits.ours, this.bits.peers, this.bits.sendMpPrio, ...this.#handshakeBits()].map(
      ({ bitOffset }) => ({ offset: bitOffset >>> 3, size: 1 }),
    );
  }

  /**
   * Every guard between the task and a subflow's bits, for the commit to read again.
   * Undefined if the way no longer exists or no longer leads to the same ends.
   */
  trail(
    pid: number,
    files: OpenFiles,
    located: LocatedConnection,
    target: LocatedSubflow,
  ): Trail | undefined {
    const { space, layout } = this;
    const { file } = located;
    const trail = new Trail((address) => space.physical(address));
    const at = (base: bigint, struct: string, member: string) =>
      base + BigInt(layout.field(struct, member).offset);
    const [pidBytes, protocolBytes] = [new Uint8Array(4), new Uint8Array(this.#protocol.size)];
    new DataView(pidBytes.buffer).setUint32(0, pid, true);
    new DataView(protocolBytes.buffer).setUint16(0, IPPROTO_MPTCP, true);
    const slot = files.array + 8n * BigInt(file.fd);
    const head = BigInt(this.#node.offset);
    const node = target.context + head;
    const kept =
      trail.expectBytes('task', 'its pid', at(files.task, 'task_struct', 'pid'), pidBytes) &&
      trail.expectPointer('task', 'its files', at(files.task, 'task_struct', 'files'), files.files) &&
      trail.expectPointer('fd table', 'fdt', at(files.files, 'files_struct', 'fdt'), files.fdt) &&
      trail.expectPointer('fd table', 'its array', at(files.fdt, 'fdtable', 'fd'), files.array) &&
      trail.expectPointer('fd table', `the file of fd ${file.fd}`, slot, file.file) &&
      trail.expectPointer('file', 'its inode', at(file.file, 'file', 'f_inode'), file.inode) &&
      trail.expectBits('inode', 'its type', at(file.inode, 'inode', 'i_mode'), 2, 0xf000n, 0xc000n) &&
      trail.expectPointer('socket', 'its file', at(file.socket, 'socket', 'file'), file.file) &&
      trail.expectPointer('socket', 'its sock', at(file.socket, 'socket', 'sk'), file.sk) &&
      this.#expectEnds(trail, 'meta-socket', file.sk, located.connection) &&
      trail.expectBytes('meta-socket', 'its protocol', at(file.sk, 'sock', 'sk_protocol'), protocolBytes) &&
      trail.expectPointer('subflow list', 'its place in the list', target.previous, node) &&
      this.#expectEnds(trail, 'subflow', target.socket, target.subflow) &&
      trail.expectPointer('subflow', 'its socket', at(target.context, CONTEXT, 'tcp_sock'), target.socket) &&
      trail.expectPointer('subflow', 'its meta-socket', at(target.context, CONTEXT, 'conn'), file.sk) &&
      this.bits.settled.every(({ name, bitOffset, bitSize }) =>
        trail.expectBits(
          'subflow',
          name,
          target.context + BigInt(bitOffset >>> 3),
          1,
          ((1n << BigInt(bitSize)) - 1n) << BigInt(bitOffset & 7),
          1n << BigInt(bitOffset & 7),
        ),
      );
    return kept ? trail : undefined;
  }

  /**
   * Guards for a TCP socket's family, state, addresses and ports as they lie in memory, provided that they still are
   * the ends that were seen. A meta-socket keeps the ends of its first subflow (mptcp_copy_inaddrs).
   */
  #expectEnds(
    trail: Trail,
    step: 'meta-socket' | 'subflow',
    sk: bigint,
    seen: { readonly local: Endpoint; readonly remote: Endpoint },
  ): boolean {
    const { family, state, dport, num } = this.#inet;
    const rows = this.space.gather(BigUint64Array.of(sk), allInetFields(this.#inet));
    if (!rows.isRead(0) || rows.u32(0, state) !== TCP_ESTABLISHED) return false;
    const now = endpoints(rows, 0, this.#inet);
    const isSame = (a: Endpoint, b: Endpoint) => a.address === b.address && a.port === b.port;
    if (!isSame(now.local, seen.local) || !isSame(now.remote, seen.remote)) return false;
    const { daddr, rcvSaddr } = addressFields(rows, 0, this.#inet);
    const guards: [string, Field][] = [
      ['its family', family],
      ['its state', state],
      ["its peer's address", daddr],
      ["its peer's port", dport],
      ['its own address', rcvSaddr],
      ['its own port', num],
    ];
    return guards.every(([what, field]) =>
      trail.expectBytes(step, what, sk + BigInt(field.offset), rows.slice(0, field)),
    );
  }
}
