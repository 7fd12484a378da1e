import { ageOf, minimumDwells, type Stay } from '../stay.js';

/** What decides whether a session may leave its path in this round. */
export interface Situation {
  /** Whether its path has no room for more. */
  readonly isOnFullPath: boolean;
  /** Whether a path is newly full while another one has room. */
  readonly isUrgent: boolean;
  /** What it uses, as a multiple of what the sessions on its path use on average. */
  readonly size: number;
  /** How long a time its rate is an average of, milliseconds. */
  readonly averagedFor: number;
  /** Milliseconds. */
  readonly dwell: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
}

/** A rate that is an average of a shorter time than this, milliseconds, moves nobody from a path that is not full. */
const RATE_KNOWN_AFTER_MS = 3000;
/** A session may leave a newly full path at once if it moved fewer times than this before it was settled. */
const QUICK_MOVES = 2;
/** Milliseconds after a move in which its effect is measured. */
const MEASURED_AFTER_MS = 1000;
/** A session smaller than this relieves its path little, so in an urgent round it stays. */
const SMALL = 0.25;

/**
 * When a session counts as arrived on its path, for the balancer, which has one dwell time for all. So a session that must
 * stay longer counts as arrived later, and one that may leave at once counts as arrived a dwell time ago.
 *
 * The dwell time protects sessions from being moved to and fro. It does not protect a newcomer: its path was chosen
 * before anybody knew its rate, so on a newly full path this is corrected at once. The correction can be wrong too,
 * because nobody knew what others use on the new path. So it is corrected once more. On a path with room, no session
 * moves before its rate is known.
 */
export function arrivalOf({ since, moves }: Stay, situation: Situation): number {
  const { isOnFullPath, isUrgent, size, averagedFor, dwell, now } = situation;
  if (!isOnFullPath && averagedFor < RATE_KNOWN_AFTER_MS) return now;
  if (isUrgent && size < SMALL) return now;
  const isMeasured = moves === 0 || ageOf(since, now) >= MEASURED_AFTER_MS;
  if (isUrgent && isOnFullPath && moves < QUICK_MOVES && isMeasured) return now - dwell;
  return since > now ? since : Math.min(now, since + (minimumDwells({ moves }) - 1) * dwell);
}
