/** The load, which is the same for every arrangement. */
export interface LoadOptions {
  readonly kind: LoadKind;
  /** Rates: their duration. */
  readonly seconds: number;
  /** Downloads: the size of each. */
  readonly bytes: number;
  /** Seed of the random moments at which the clients begin, and end. */
  readonly seed: number;
}

export const loadKinds = ['constant', 'changing', 'downloads'] as const;
export type LoadKind = (typeof loadKinds)[number];

/** A time in which a client is sent datagrams. */
export interface Burst {
  /** Milliseconds since the load began. */
  readonly fromMs: number;
  /** The same; later than `fromMs`. */
  readonly toMs: number;
}

/** The result of a load. */
export interface LoadResult {
  /** Unix time in milliseconds. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** In the order of the clients. */
  readonly clients: readonly ClientResult[];
}

/** Bytes are those of IP packets in the tunnel for rates, and those of the HTTP body for downloads. */
export interface ClientResult {
  /** Bytes that were sent to the client until the end. */
  readonly sentBytes: number;
  /** Bytes that the client had received by then. */
  readonly receivedBytes: number;
  /** From its first byte to the end: of the whole load for rates, of its own download for downloads. */
  readonly seconds: number;
  /** Rates: when it was sent something; the rate is the same in all of them. */
  readonly bursts?: readonly Burst[];
  /** Rates: how long the datagrams took that arrived in time. */
  readonly delayMs?: { readonly median: number; readonly p95: number };
}

/** Each client begins at a random moment within this time. */
export const BEGIN_WITHIN_MS = 1000;
