/**
 * What a subflow, or a path, really does, from the counters of its TCP sockets.
 * - `carries`: in the last seconds the peer acknowledged data, or data came from it.
 * - `idle`: nothing waits and nothing was carried lately, so nothing is known.
 * - `lossy`: it carries, but more is lost than the path's `max-loss`, or it is slower than the path's `max-delay`.
 * - `dead`: data waits, and nothing of it is acknowledged although the kernel sent it again.
 */
export type Health = 'carries' | 'idle' | 'lossy' | 'dead';
