/** The load, which is the same for every arrangement. */
export interface LoadOptions {
  readonly kind: LoadKind;
  /** Constant rate: its duration. */
  readonly seconds: number;
  /** Downloads: the size of each. */
  readonly bytes: number;
  /** Seed of the random moments at which the clients begin. */
  readonly seed: number;
}

export const loadKinds = ['constant', 'downloads'] as const;
export type LoadKind = (typeof loadKinds)[number];

/** The result of a load. */
export interface LoadResult {
  /** Unix time in milliseconds. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** In the order of the clients. */
  readonly clients: readonly ClientResult[];
}

/** Bytes are those of IP packets in the tunnel for the constant rate, and those of the HTTP body for downloads. */
export interface ClientResult {
  /** Bytes that were sent to the client until the end. */
  readonly sentBytes: number;
  /** Bytes that the client had received by then. */
  readonly receivedBytes: number;
  /** From its first byte to the end: of the whole load for the constant rate, of its own download for downloads. */
  readonly seconds: number;
  /** Constant rate: how long the datagrams took that arrived in time. */
  readonly delayMs?: { readonly median: number; readonly p95: number };
}

/** Each client begins at a random moment within this time. */
export const BEGIN_WITHIN_MS = 1000;
