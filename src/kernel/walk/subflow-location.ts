import type { Connection, PlainPeer } from '../../model/connection.js';
import type { FourTuple } from '../../model/endpoint.js';
import type { Priority, Subflow } from '../../model/subflow.js';
import type { GuardSequence } from '../commit/guard-table.js';
import type { SocketFile } from './sockets.js';

/** The addresses by which the walk found a subflow, and the two four-tuples by which others name it. */
export interface SubflowLocation extends FourTuple {
  file: SocketFile;
  /** The structure with its priority bits. */
  context: bigint;
  /** Its `tcp_sock`. */
  socket: bigint;
  /** Its node on the list of subflows. */
  node: bigint;
  /** The address of the pointer to that node: in the head of the list, or in the node before. */
  link: bigint;
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
