import type { BackendName } from '../model/backend-name.js';
import type { ServerSockets } from '../model/connection.js';
import type { Priority, SubflowName } from '../model/subflow.js';
import type { ExcessSubflows, SubflowLimits } from '../model/subflow-limits.js';

/** What came of one wish for a subflow's priority. */
export interface PriorityResult {
  /**
   * - `committed`: the field was changed and read back.
   * - `unchanged`: it held the wish already.
   * - `gone`: a guard no longer held (the subflow or its connection closed, or was never there): nothing was written.
   * - `refused`: this kernel gives no safe way to write it: nothing was written.
   */
  readonly outcome: 'committed' | 'unchanged' | 'gone' | 'refused';
  /** Whether the kernel was asked to tell the client (MP_PRIO). */
  readonly peerAsked: boolean;
  /** Why, in words for an admin, unless all is as wished. */
  readonly reason?: string;
}

export interface PriorityOptions {
  /**
   * Our wish wins: where the subflow is to be active and its peer wishes backup, that wish is taken back in this kernel.
   * False by default. A backend that cannot refuses.
   */
  readonly overridePeer?: boolean;
}

/** A way to see and set priorities. */
export interface Backend {
  readonly name: BackendName;
  /** One line for an admin: how this backend writes on this host. */
  readonly description: string;
  /** Whether the client is told of a changed priority; if not, only what the server sends moves. */
  readonly tellsPeer: boolean;
  /**
   * Everything the server's process has open now.
   * @throws {KernelError} if the process cannot be found or its sockets cannot be walked at all.
   */
  connections(pid: number): Promise<ServerSockets>;
  /** Never throws for a subflow that is gone or a field that cannot be written; see the result. */
  setPriority(subflow: SubflowName, priority: Priority, options?: PriorityOptions): Promise<PriorityResult>;
  /**
   * These servers are there, though nobody may be connected yet: for a backend that has to be ready before. What is
   * remembered of others may be forgotten.
   */
  trackServers?(pids: readonly number[]): void;
  /** Calls back when connections or subflows came, went or changed; absent: only looking tells. */
  onChange?(listener: () => void): void;
  /**
   * Closes what connections have above these limits, and from now on what comes above them; absent where the kernel sets
   * limits itself. Returns before it is done.
   */
  limitSubflows?(limits: SubflowLimits): void;
  /** Calls back when subflows were closed above a limit: half a second after the first, then every 10 s at most. */
  onExcess?(listener: (excess: ExcessSubflows) => void): void;
  close(): Promise<void>;
}
