/** What the clients are given to carry, the same for every arrangement. */
export interface LoadOptions {
  readonly kind: LoadKind;
  /** Constant rate: how long. */
  readonly seconds: number;
  /** Downloads: the size of each. */
  readonly bytes: number;
  /** Of whatever is left to chance: who begins when. */
  readonly seed: number;
}

export const loadKinds = ['constant', 'downloads'] as const;
export type LoadKind = (typeof loadKinds)[number];

/** What came of it. */
export interface LoadResult {
  /** Unix time in milliseconds. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** In the order of the clients. */
  readonly clients: readonly ClientResult[];
}

/** Bytes are of IP packets in the tunnel for the constant rate, of the body for downloads. */
export interface ClientResult {
  /** That were on their way to the client by the end. */
  readonly sentBytes: number;
  /** That had come to it by then. */
  readonly receivedBytes: number;
  /** From its first byte to the end: of the whole load, or of its own download. */
  readonly seconds: number;
  /** Constant rate: how long datagrams were on their way. */
  readonly delayMs?: { readonly median: number; readonly p95: number };
}

/** When everybody has begun. */
export const BEGIN_WITHIN_MS = 1000;
