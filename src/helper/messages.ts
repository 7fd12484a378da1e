import type { PriorityRequest } from '../backend/backend.js';
import type { Announcement } from '../model/announcement.js';
import type { BackendName } from '../model/backend-name.js';
import type { Step } from '../model/kernel-error.js';
import type { SubflowLimits } from '../model/subflow-limits.js';

/*
 * The messages between the daemon and the helper; docs/helper.md is their contract. read-request.ts checks what the daemon
 * sends, and read-reply.ts what the helper sends.
 */

/** The version of the messages. Both sides must have the same one. */
export const MESSAGES_VERSION = 1;

/** How large things in a message may be. A message that exceeds one of them ends its connection. */
export const BOUNDS = {
  /** Bytes of a message from the daemon. */
  requestBytes: 4 << 20,
  /** Bytes of a message from the helper. */
  replyBytes: 4 << 20,
  /** Characters of a path. */
  path: 4096,
  /** Characters of a sentence for an admin; a longer one is cut. */
  text: 2000,
  /** Processes in one message; a config has at most 256 servers, and each can be restarting. */
  pids: 1024,
  /** Priorities in one message. */
  changes: 2048,
  /** Connections of one process: the helper reads at most 32,768 descriptors. */
  connections: 65_536,
  /** Subflows of one connection in a message. */
  subflows: 65_536,
  /** Announcements in one message, and addresses in each. */
  announcements: 32_768,
  addresses: 8,
  /** Problems of one process or of announcements. */
  problems: 1000,
  /** Limits of subflows, as `max-subflows` in subflowd.ini. */
  leastSubflows: 2,
  mostSubflows: 256,
} as const;

/** Connections in one part of the answer to `look`. So no part takes long to read. */
export const CONNECTIONS_PER_PART = 512;

/** What the daemon asks for. The first message is `open`; every message has one answer, in the same order. */
export type Request = { readonly id: number } & (
  | {
      readonly do: 'open';
      readonly version: number;
      readonly backend: BackendName | 'auto';
      readonly layout: string;
    }
  | { readonly do: 'look'; readonly pid: number }
  | { readonly do: 'set'; readonly changes: readonly PriorityRequest[] }
  | { readonly do: 'watch'; readonly pids: readonly number[] }
  | { readonly do: 'limit'; readonly limits: SubflowLimits }
  | { readonly do: 'announce'; readonly announcements: readonly Announcement[] }
);

/** What the helper's backend is and can do: the answer to `open`. */
export interface Opened {
  readonly name: BackendName;
  readonly description: string;
  readonly notifiesPeer: boolean;
  /** Why it was chosen: the end of the sentence "chosen because ...". */
  readonly because: string;
  /** Whether it reports changes. */
  readonly reportsChanges: boolean;
  /** Whether it limits subflows. */
  readonly limitsSubflows: boolean;
  /** Whether it announces addresses. */
  readonly announces: boolean;
}

/** An error of the helper's backend, as plain data. */
export interface Failure {
  readonly step: Step;
  readonly message: string;
  readonly remedy?: string;
  /** The PID of a process that has ended. */
  readonly gone?: number;
}
