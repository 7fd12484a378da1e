import type { Burst } from './load.js';

/** What `rate-sender` has to send. */
export interface SendPlan {
  readonly port: number;
  /** Size of the UDP payload. */
  readonly datagramBytes: number;
  /** The time between two datagrams to the same target in a burst. */
  readonly intervalMs: number;
  readonly durationMs: number;
  readonly targets: readonly {
    readonly address: string;
    /** When datagrams are sent to it, in order of time. */
    readonly bursts: readonly Burst[];
  }[];
}
