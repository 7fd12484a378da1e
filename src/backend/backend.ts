import type { BackendName } from '../model/backend-name.js';
import type { Announcement } from '../model/announcement.js';
import type { ServerSockets } from '../model/connection.js';
import type { Priority, SubflowName } from '../model/subflow.js';
import type { ExcessSubflows, SubflowLimits } from '../model/subflow-limits.js';

/** Result of setting one subflow's priority. */
export interface PriorityResult {
  /**
   * - `committed`: the field was changed and read back.
   * - `unchanged`: the field had this value already.
   * - `gone`: the subflow or its connection closed, or never existed: nothing was written.
   * - `refused`: this kernel has no safe way to set it: nothing was written.
   */
  readonly outcome: 'committed' | 'unchanged' | 'gone' | 'refused';
  /** Whether the kernel was asked to send the priority to the client (MP_PRIO). */
  readonly isMpPrioRequested: boolean;
  /** Why, for an admin. Absent if the priority is set and the client is notified. */
  readonly reason?: string;
}

/** Result of a change that was not tried, because an earlier change of the same connection to `active` was not made. */
export interface NotTried {
  readonly outcome: 'not-tried';
}

/** A priority to set. */
export interface PriorityRequest {
  readonly name: SubflowName;
  readonly priority: Priority;
  /**
   * If the requested priority is `active` and the peer asks for `backup`, override the peer's priority in this kernel. False by
   * default. A backend that cannot do this returns `refused`.
   */
  readonly overridePeer?: boolean;
}

/** A way to observe connections and to set priorities. */
export interface Backend {
  readonly name: BackendName;
  /** How this backend sets priorities on this host, one line for an admin. */
  readonly description: string;
  /** Whether the client is notified of a changed priority (MP_PRIO). If not, only the server's packets change path. */
  readonly notifiesPeer: boolean;
  /**
   * All connections that the server's process has now. A connection that did not change is the same object as before.
   * @throws {KernelError} if there is no such process, or if its sockets cannot be read.
   */
  connections(pid: number): Promise<ServerSockets>;
  /**
   * Sets priorities, usually all of one round. Requests of one connection follow each other. They are carried out in this
   * order, and after one to `active` that was not made, the others of its connection are not tried. So a connection never
   * loses its last active subflow. Requests of other connections are carried out in any case.
   * @returns a result for each request, in the order of the requests. A subflow that is gone or cannot be set is not an error.
   */
  setPriorities(requests: readonly PriorityRequest[]): Promise<readonly (PriorityResult | NotTried)[]>;
  /**
   * Passes the PIDs of all running servers, also of those without sessions: a backend may have to listen before a client
   * connects. The backend forgets what it stored about other processes.
   */
  trackServers?(pids: readonly number[]): void;
  /** Calls the listener when connections or subflows were added, removed or changed. Absent: only observing finds changes. */
  onChange?(listener: () => void): void;
  /**
   * Closes the subflows above these limits, and from now on those that are added above them. Returns before this is done.
   * Absent if the kernel has a limit of its own.
   */
  limitSubflows?(limits: SubflowLimits): void;
  /** Calls the listener when subflows above a limit were closed: half a second after the first, then at most every 10 s. */
  onExcess?(listener: (excess: ExcessSubflows) => void): void;
  /**
   * Announces addresses to the clients of connections. Each is announced once for as long as it stays in the list, which has
   * all that is wanted now.
   * Absent if the backend cannot do this.
   * @returns one sentence for each reason why something could not be announced, for as long as it is wanted.
   */
  announce?(announcements: readonly Announcement[]): readonly string[];
  close(): Promise<void>;
}
