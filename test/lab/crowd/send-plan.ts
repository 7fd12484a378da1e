/** What `rate-sender` is to send. */
export interface SendPlan {
  readonly port: number;
  /** Of UDP payload. */
  readonly datagramBytes: number;
  /** Between two datagrams to the same target. */
  readonly intervalMs: number;
  readonly durationMs: number;
  readonly targets: readonly {
    readonly address: string;
    /** Of its first datagram, after the begin. */
    readonly afterMs: number;
  }[];
}
