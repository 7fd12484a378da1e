import type { Connection, PlainPeer } from '../../model/connection.js';
import type { Priority, Subflow } from '../../model/subflow.js';
import { isSameEndpoint, type Endpoint } from '../../model/endpoint.js';
import type { AddressSpace } from '../memory/address-space.js';
import type { OpenFiles } from './files.js';
import type { Ends } from './inet.js';
import type { Step } from '../../model/kernel-error.js';
import type { Layout } from '../layout/layout.js';
import type { SocketFile } from './sockets.js';
import type { PriorityBits } from '../commit/priority-bits.js';
import { Trail } from '../commit/trail.js';
import type { Way } from '../commit/ways.js';

// include/uapi/linux/in.h
export const IPPROTO_TCP = 6;
export const IPPROTO_MPTCP = 262;

/** Which subflow, and the addresses that led to it. As long as they stay the same, it is the same object. */
export interface Place {
  readonly file: SocketFile;
  /** The structure that holds its priorities. */
  readonly context: bigint;
  /** Its `tcp_sock`. */
  readonly socket: bigint;
  /** What stands on the list for it. */
  readonly node: bigint;
  /** Where the pointer to that node lies: in the list's head, or in the one before. */
  readonly link: bigint;
  /** Its ends. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The ends of its meta-socket. */
  readonly connection: BothEnds;
  /** The peer's wish, as the last look saw it. */
  peers: Priority;
  /** What a commit needs, once one was wanted: later looks keep it, and it holds as long as its guards do. */
  way: Way | undefined;
}

export type BothEnds = Pick<Subflow, 'local' | 'remote'>;

/** A subflow, as the last look saw it, and where it was found. */
export interface LocatedSubflow {
  subflow: Subflow;
  readonly place: Place;
}

/** A connection, as the last look saw it, and the file that led to it. */
export interface LocatedConnection {
  connection: Connection;
  readonly file: SocketFile;
  readonly subflows: readonly LocatedSubflow[];
}

export interface Found {
  readonly connections: readonly LocatedConnection[];
  readonly plain: readonly PlainPeer[];
  /** What could not be followed; the rest is whole. */
  readonly problems: readonly string[];
}

/** One of the two implementations of MPTCP in Linux: from sockets to meta-sockets to subflows. */
export interface Family {
  readonly name: 'upstream' | 'multipath-tcp.org';
  readonly bits: PriorityBits;
  /** For looks at one server. */
  walk(pid: number): Walk;
  /**
   * Every guard between the task and a subflow's bits, for the commit to read again.
   * Undefined if the way no longer exists or no longer leads to the same ends.
   */
  trail(pid: number, files: OpenFiles, place: Place): Trail | undefined;
}

/** Looks at one server. What is as it was at the last look is the same object, and costs little. */
export interface Walk {
  /** Every established MPTCP connection and plain TCP connection among the process's files, in one pass. */
  connections(files: OpenFiles): Found;
  /** Where the subflow was found whose remote end a look told as this very object. */
  placeAt(remote: Endpoint): Place | undefined;
  /** From now on that object leads nowhere, since what was found there is no longer so. */
  forget(remote: Endpoint): void;
}

/** The guards of every family: from the task to the meta-socket, its ends included. Undefined if they do not hold. */
export function trailToMetaSocket(
  space: AddressSpace,
  layout: Layout,
  ends: Ends,
  pid: number,
  files: OpenFiles,
  { file, connection }: Place,
): Trail | undefined {
  const trail = new Trail((address) => space.physical(address));
  const at = (base: bigint, struct: string, member: string) =>
    base + BigInt(layout.field(struct, member).offset);
  const pidBytes = new Uint8Array(4);
  new DataView(pidBytes.buffer).setUint32(0, pid, true);
  const slot = files.array + 8n * BigInt(file.fd);
  const kept =
    trail.expectBytes('task', 'its pid', at(files.task, 'task_struct', 'pid'), pidBytes) &&
    trail.expectPointer('task', 'its files', at(files.task, 'task_struct', 'files'), files.files) &&
    trail.expectPointer('fd table', 'fdt', at(files.files, 'files_struct', 'fdt'), files.fdt) &&
    trail.expectPointer('fd table', 'its array', at(files.fdt, 'fdtable', 'fd'), files.array) &&
    trail.expectPointer('fd table', `the file of fd ${file.fd}`, slot, file.file) &&
    (file.dentry === undefined
      ? trail.expectPointer('file', 'its inode', at(file.file, 'file', 'f_inode'), file.inode)
      : trail.expectPointer('file', 'its dentry', at(file.file, 'file', 'f_path.dentry'), file.dentry) &&
        trail.expectPointer('file', 'its inode', at(file.dentry, 'dentry', 'd_inode'), file.inode)) &&
    trail.expectBits('inode', 'its type', at(file.inode, 'inode', 'i_mode'), 2, 0xf000n, 0xc000n) &&
    trail.expectPointer('socket', 'its file', at(file.socket, 'socket', 'file'), file.file) &&
    trail.expectPointer('socket', 'its sock', at(file.socket, 'socket', 'sk'), file.sk) &&
    expectEnds(trail, ends, 'meta-socket', file.sk, connection);
  return kept ? trail : undefined;
}

/**
 * Guards for a TCP socket's family, state, addresses and ports as they lie in memory, provided that they still are the
 * ends that were seen. A meta-socket keeps the ends of its first subflow.
 */
export function expectEnds(
  trail: Trail,
  ends: Ends,
  step: Step & ('meta-socket' | 'subflow'),
  sk: bigint,
  seen: BothEnds,
): boolean {
  ends.read(BigUint64Array.of(sk));
  if (!ends.isEstablished(0)) return false;
  if (!isSameEndpoint(ends.local(0), seen.local) || !isSameEndpoint(ends.remote(0), seen.remote))
    return false;
  return ends.parts(0).every(({ what, address, bytes }) => trail.expectBytes(step, what, address, bytes));
}
