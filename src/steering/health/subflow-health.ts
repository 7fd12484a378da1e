import type { Health } from '../../model/health.js';
import type { Subflow } from '../../model/subflow.js';
import { SEGMENT_BYTES } from '../measure/meter.js';
import { showsQueue } from '../measure/queue.js';

/** When a path counts as bad. */
export interface HealthLimits {
  /** The fraction of segments that may be lost, 0 to 1. */
  readonly maxLoss: number;
  /** The longest round-trip time, milliseconds; absent: any. */
  readonly maxDelay?: number;
}

/** What is kept of one subflow from one round to the next. Times are milliseconds of a monotonic clock. */
export interface SubflowHealth {
  readonly health: Health;
  /** When data was last acknowledged; when the subflow was first observed, if none was since. */
  readonly acknowledgedAt: number;
  /** When data last went in either direction; -Infinity: not since the first observation. */
  readonly carriedAt: number;
  /** Since when data waits and nothing of it was acknowledged; absent: nothing waits. */
  readonly stalledSince?: number;
  /** The fraction of segments that were lost in about the last {@link LOSS_MEMORY_MS}; absent: too few were sent. */
  readonly loss?: number;
  /** Since when it is above the limit of its path, in loss or in delay; absent: it is not. */
  readonly badSince?: number;
  /** Payload in both directions since the subflow began, bytes: it shows what was carried since the last round. */
  readonly acked: number;
  readonly received: number;
  /** Segments that were sent again since the subflow began. */
  readonly retransmitted: number;
  /** Segments that were sent, and sent again, in about the last {@link LOSS_MEMORY_MS}. */
  readonly recentlySent: number;
  /** Those of them that were lost while no queue grew. */
  readonly recentlyLost: number;
  /** The least round-trip time since the first observation, microseconds; 0: not measured yet. */
  readonly leastRtt: number;
  /** Whether its round-trip time shows a queue. */
  readonly isQueued: boolean;
}

/** Milliseconds after which a subflow without traffic counts as idle. */
export const CARRIES_FOR_MS = 2000;
/**
 * Milliseconds without an acknowledgement, besides two round-trip times, after which a subflow is dead if the kernel's
 * retransmission timer expired once (RFC 6298: 200 ms at least on Linux). A path that only queues keeps acknowledging.
 */
const DEAD_AFTER_ONE_TIMEOUT_MS = 400;
/** The same if the timer expired twice or more. */
const DEAD_AFTER_TWO_TIMEOUTS_MS = 200;
/** The time constant of the loss, milliseconds. */
export const LOSS_MEMORY_MS = 5000;
/** Segments that must have been sent in that time before a loss means anything. */
const FEWEST_SEGMENTS = 30;
/**
 * Milliseconds for which a subflow must be above a limit before it is lossy. A burst into an empty queue loses much for a
 * moment, also on a good path.
 */
const LOSSY_AFTER_MS = 2000;
/** A subflow is no longer lossy when its loss is below this fraction of the limit. */
const LOSS_ENDS = 0.6;

/**
 * One round of one subflow.
 * @param before the result of the round before; undefined: the subflow is new.
 * @param elapsed milliseconds since the round before.
 * @param now milliseconds of a monotonic clock.
 */
export function stepSubflowHealth(
  before: SubflowHealth | undefined,
  subflow: Subflow,
  limits: HealthLimits,
  elapsed: number,
  now: number,
): SubflowHealth {
  const { bytesAcked: acked = 0, bytesReceived: received = 0, retransmitted = 0, unacked = 0 } = subflow;
  const earlier = before ?? { ...NOTHING_SENT, acked, received, retransmitted };
  const isAcknowledged = acked > earlier.acked;
  const isCarried = isAcknowledged || received > earlier.received;
  const acknowledgedAt = isAcknowledged ? now : (before?.acknowledgedAt ?? now);
  const carriedAt = isCarried ? now : (before?.carriedAt ?? -Infinity);
  const stalledSince = unacked === 0 ? undefined : isAcknowledged ? now : (before?.stalledSince ?? now);
  const kept = Math.exp(-Math.max(0, elapsed) / LOSS_MEMORY_MS);
  const lost = Math.max(0, retransmitted - earlier.retransmitted);
  const leastRtt = leastOf(earlier.leastRtt, subflow.rtt ?? 0);
  // A queue that overflows loses segments on a path without a fault. That is congestion, which the modes treat by the load.
  const isQueued = showsQueue(subflow.rtt ?? 0, leastRtt);
  const recentlyLost = earlier.recentlyLost * kept + (isQueued || earlier.isQueued ? 0 : lost);
  const recentlySent =
    earlier.recentlySent * kept + lost + Math.max(0, acked - earlier.acked) / SEGMENT_BYTES;
  const loss = recentlySent < FEWEST_SEGMENTS ? undefined : recentlyLost / recentlySent;
  const isBad = isAboveLimit(subflow, loss, limits, before?.health === 'lossy');
  const badSince = isBad ? (before?.badSince ?? now) : undefined;
  return {
    health: healthOf(before?.health, subflow, { stalledSince, carriedAt, badSince }, now),
    acknowledgedAt,
    carriedAt,
    ...(stalledSince !== undefined && { stalledSince }),
    ...(loss !== undefined && { loss }),
    ...(badSince !== undefined && { badSince }),
    acked,
    received,
    retransmitted,
    recentlySent,
    recentlyLost,
    leastRtt,
    isQueued,
  };
}

/** Whether something was carried in the last {@link CARRIES_FOR_MS}. @param now milliseconds of a monotonic clock. */
export function carriesNow({ carriedAt }: Pick<SubflowHealth, 'carriedAt'>, now: number): boolean {
  return now - carriedAt <= CARRIES_FOR_MS;
}

/** A subflow that was not observed before. */
const NOTHING_SENT = { recentlySent: 0, recentlyLost: 0, leastRtt: 0, isQueued: false };

/** The lower one of two round-trip times; 0: not measured. */
function leastOf(one: number, other: number): number {
  return one === 0 || other === 0 ? Math.max(one, other) : Math.min(one, other);
}

/** What the health of a subflow is decided from. */
interface Evidence {
  readonly stalledSince: number | undefined;
  readonly carriedAt: number;
  readonly badSince: number | undefined;
}

function healthOf(
  before: Health | undefined,
  { rtt = 0, backoff = 0 }: Subflow,
  { stalledSince, carriedAt, badSince = Infinity }: Evidence,
  now: number,
): Health {
  const rttMs = rtt / 1000;
  const stalledFor = stalledSince === undefined ? 0 : now - stalledSince;
  if (backoff >= 1 && stalledFor >= DEAD_AFTER_ONE_TIMEOUT_MS + 2 * rttMs) return 'dead';
  if (backoff >= 2 && stalledFor >= DEAD_AFTER_TWO_TIMEOUTS_MS) return 'dead';
  // it was dead, and neither an acknowledgement nor the end of the waiting data shows that this is over
  if (before === 'dead' && stalledFor > 0) return 'dead';
  if (!carriesNow({ carriedAt }, now)) return 'idle';
  return now - badSince >= LOSSY_AFTER_MS ? 'lossy' : 'carries';
}

/** @param isLossy whether the subflow counts as lossy already. */
function isAboveLimit(
  { rtt = 0 }: Subflow,
  loss: number | undefined,
  { maxLoss, maxDelay = Infinity }: HealthLimits,
  isLossy: boolean,
): boolean {
  const tooMuchLoss = isLossy ? LOSS_ENDS * maxLoss : maxLoss;
  return (loss ?? 0) > tooMuchLoss || rtt / 1000 > maxDelay;
}
