/** What `rate-sender` has to send. */
export interface SendPlan {
  readonly port: number;
  /** Size of the UDP payload. */
  readonly datagramBytes: number;
  /** The time between two datagrams to the same target. */
  readonly intervalMs: number;
  readonly durationMs: number;
  readonly targets: readonly {
    readonly address: string;
    /** When its first datagram is sent, after the begin. */
    readonly afterMs: number;
  }[];
}
