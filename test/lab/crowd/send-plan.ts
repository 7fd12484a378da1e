/** What `rate-sender` is to send. Times are Unix time in milliseconds. */
export interface SendPlan {
  readonly port: number;
  /** Of UDP payload. */
  readonly datagramBytes: number;
  /** Between two datagrams to the same target. */
  readonly intervalMs: number;
  readonly beginMs: number;
  readonly endMs: number;
  readonly targets: readonly {
    readonly address: string;
    /** Of its first datagram. */
    readonly beginMs: number;
  }[];
}
