import type { Endpoint } from '../../model/endpoint.js';
import type { GuardSequence } from '../commit/guard-table.js';
import type { PriorityBits } from '../commit/priority-bits.js';
import type { Trail } from '../commit/trail.js';
import type { MptcpName } from '../layout/mptcp-name.js';
import type { OpenFiles } from './fd-table.js';
import type { LocatedConnections, LocatedSubflow, SubflowLocation } from './subflow-location.js';

/** `sk_protocol` of TCP sockets, and of the meta-sockets of upstream Linux (include/uapi/linux/in.h). */
export const IPPROTO_TCP = 6;
export const IPPROTO_MPTCP = 262;

/** What differs between the two implementations of MPTCP in Linux. */
export interface MptcpImplementation {
  readonly name: MptcpName;
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
