import type { Management } from './management/management.js';
import type { MergedSessions } from './merge.js';

/** What subflowd knows about a server, and from which source. Plain data, as `status --json` prints it. */
export interface ServerStatus {
  readonly name: string;
  /** `absent`: the config has no management interface for it. */
  readonly management: 'absent' | 'unreachable' | 'connected';
  /** Why management is unreachable. */
  readonly managementTrouble?: string;
  /** Number of sessions that a hook has recorded. */
  readonly recorded: number;
  /** Number of sessions that OpenVPN let in and no hook has recorded; absent if there are none. */
  readonly unrecorded?: number;
  /** All processes of the server; more than one only without management. */
  readonly pids: readonly number[];
  /** As OpenVPN reports it, e.g. `OpenVPN 2.6.14 x86_64-pc-linux-gnu ...`. */
  readonly version?: string;
}

/**
 * Makes the status of a server.
 * @param server with the processes that it has now.
 * @param version as OpenVPN reports it; undefined until it has.
 */
export function makeServerStatus(
  server: { readonly name: string; readonly management: Management | undefined; pids(): readonly number[] },
  version: string | undefined,
  { recorded, unrecorded }: MergedSessions,
): ServerStatus {
  const { name, management } = server;
  return {
    name,
    management: management === undefined ? 'absent' : management.isReady ? 'connected' : 'unreachable',
    ...(management?.problem !== undefined && { managementTrouble: management.problem }),
    recorded,
    ...(unrecorded > 0 && { unrecorded }),
    pids: server.pids(),
    ...(version !== undefined && { version }),
  };
}
