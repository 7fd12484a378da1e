import type { Connection, PlainPeer } from '../../model/connection.js';
import { isSameEndpoint, type Endpoint } from '../../model/endpoint.js';
import type { Step } from '../../model/kernel-error.js';
import type { Priority, Subflow } from '../../model/subflow.js';
import type { GuardSequence } from '../commit/guard-table.js';
import type { PriorityBits } from '../commit/priority-bits.js';
import { Trail } from '../commit/trail.js';
import type { Layout } from '../layout/layout.js';
import type { MptcpFamily } from '../layout/mptcp-family.js';
import type { AddressSpace } from '../memory/address-space.js';
import type { EndpointTable } from './endpoint-table.js';
import type { OpenFiles } from './fd-table.js';
import type { SocketFile } from './sockets.js';

// include/uapi/linux/in.h
export const IPPROTO_TCP = 6;
export const IPPROTO_MPTCP = 262;

/** The endpoints of a socket, which identify its TCP connection. */
export type FourTuple = Pick<Subflow, 'local' | 'remote'>;

/** The addresses by which the walk found a subflow, and the two four-tuples by which others name it. */
export interface SubflowLocation {
  file: SocketFile;
  /** The structure with its priority bits. */
  context: bigint;
  /** Its `tcp_sock`. */
  socket: bigint;
  /** Its node on the list of subflows. */
  node: bigint;
  /** The address of the pointer to that node: in the head of the list, or in the node before. */
  link: bigint;
  local: Endpoint;
  remote: Endpoint;
  /** The four-tuple of its meta-socket. */
  connection: FourTuple;
}

/**
 * A subflow and its location at the last observation. Each walk updates this object, as long as it finds the subflow by the
 * same addresses and four-tuples. The object is flat, because a commit must read it: with two objects in it, commits to 5,000
 * subflows in turn took 1.4 times as long.
 */
export interface LocatedSubflow extends SubflowLocation {
  subflow: Subflow;
  /** The peer's priority, as in {@link subflow}. */
  peers: Priority;
  /** The guards of its priority bits: see {@link Walk.addGuards}. */
  guards: GuardSequence | undefined;
}

/** A connection at the last observation, and the file through which it was found. */
export interface LocatedConnection {
  connection: Connection;
  readonly file: SocketFile;
  readonly subflows: readonly LocatedSubflow[];
}

/** The result of one observation of a server. */
export interface LocatedConnections {
  readonly connections: readonly LocatedConnection[];
  readonly plain: readonly PlainPeer[];
  /** A message for each socket or connection that could not be walked. The others are complete. */
  readonly problems: readonly string[];
}

/** What differs between the two implementations of MPTCP in Linux. */
export interface Family {
  readonly name: MptcpFamily;
  readonly bits: PriorityBits;
  /** Makes a walk for repeated observations of one server. */
  createWalk(pid: number): Walk;
  /**
   * Makes the guards from the task to the priority bits of a subflow.
   * @returns undefined if the subflow is no longer at this location.
   */
  trail(pid: number, files: OpenFiles, location: SubflowLocation): Trail | undefined;
}

/** Repeated observations of one server. What did not change since the last observation is the same object. */
export interface Walk {
  /** Returns every established MPTCP or plain TCP connection among the files of the process. */
  connections(files: OpenFiles): LocatedConnections;
  /** Finds the subflow that an observation reported with this very object as its remote endpoint. */
  findByRemote(remote: Endpoint): LocatedSubflow | undefined;
  /**
   * Makes the guards of a subflow for its first commit; later commits use them again.
   * @param target physical address of the structure with its priority bits.
   */
  addGuards(located: LocatedSubflow, trail: Trail, target: bigint): GuardSequence;
  /** Makes {@link findByRemote} return undefined for this object. For a subflow that is no longer at its location. */
  forgetRemote(remote: Endpoint): void;
}

/**
 * The first guards of every trail: from the task to the meta-socket and its four-tuple.
 * @returns undefined if one of them already fails.
 */
export function trailToMetaSocket(
  space: AddressSpace,
  layout: Layout,
  endpoints: EndpointTable,
  pid: number,
  { table }: OpenFiles,
  { file, connection }: SubflowLocation,
): Trail | undefined {
  const trail = new Trail((address) => space.toPhysical(address));
  const at = (base: bigint, struct: string, member: string) =>
    base + BigInt(layout.field(struct, member).offset);
  const pidBytes = new Uint8Array(4);
  new DataView(pidBytes.buffer).setUint32(0, pid, true);
  const slot = table.array + 8n * BigInt(file.fd);
  const areAccepted =
    trail.expectBytes('task', 'its pid', at(table.task, 'task_struct', 'pid'), pidBytes) &&
    trail.expectPointer('task', 'its files', at(table.task, 'task_struct', 'files'), table.files) &&
    trail.expectPointer('fd table', 'fdt', at(table.files, 'files_struct', 'fdt'), table.fdt) &&
    trail.expectPointer('fd table', 'its array', at(table.fdt, 'fdtable', 'fd'), table.array) &&
    trail.expectPointer('fd table', `the file of fd ${file.fd}`, slot, file.file) &&
    (file.dentry === undefined
      ? trail.expectPointer('file', 'its inode', at(file.file, 'file', 'f_inode'), file.inode)
      : trail.expectPointer('file', 'its dentry', at(file.file, 'file', 'f_path.dentry'), file.dentry) &&
        trail.expectPointer('file', 'its inode', at(file.dentry, 'dentry', 'd_inode'), file.inode)) &&
    trail.expectBits('inode', 'its type', at(file.inode, 'inode', 'i_mode'), 2, 0xf000n, 0xc000n) &&
    trail.expectPointer('socket', 'its file', at(file.socket, 'socket', 'file'), file.file) &&
    trail.expectPointer('socket', 'its sock', at(file.socket, 'socket', 'sk'), file.sk) &&
    expectFourTuple(trail, endpoints, 'meta-socket', file.sk, connection);
  return areAccepted ? trail : undefined;
}

/**
 * Adds guards for the family, state and four-tuple of a TCP socket. A meta-socket has those of its first subflow.
 * @returns false if the socket does not have this four-tuple.
 */
export function expectFourTuple(
  trail: Trail,
  endpoints: EndpointTable,
  step: Step & ('meta-socket' | 'subflow'),
  sk: bigint,
  { local, remote }: FourTuple,
): boolean {
  endpoints.read(BigUint64Array.of(sk));
  if (!endpoints.isEstablished(0)) return false;
  if (!isSameEndpoint(endpoints.local(0), local) || !isSameEndpoint(endpoints.remote(0), remote))
    return false;
  return endpoints
    .identifyingFields(0)
    .every(({ what, address, bytes }) => trail.expectBytes(step, what, address, bytes));
}
