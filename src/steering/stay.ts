/** How long a session has been on a path that was chosen for it. */
export interface Stay {
  /** When it came there, milliseconds of a clock that is never set. */
  readonly since: number;
  /** How often it was moved, each time soon after the last. */
  readonly moves: number;
}

/** Who stayed four times as long as it had to has found its place. */
const SETTLED = 4;
const MOST_MINIMUM_DWELLS = 32;

/** Milliseconds since then; Infinity where the clock that told it went back. */
export function ageOf(since: number, now: number): number {
  return now >= since ? now - since : Infinity;
}

/**
 * How many dwell times a session stays at least: whoever is moved again and again, since what it or others use changes all
 * the time, is moved less and less often.
 */
export function minimumDwells({ moves }: Pick<Stay, 'moves'>): number {
  return Math.min(2 ** Math.max(0, moves - 1), MOST_MINIMUM_DWELLS);
}

/** The stay after a move. @param dwell milliseconds. */
export function stayAfterMove(before: Stay, dwell: number, now: number): Stay {
  const isSettled = ageOf(before.since, now) >= SETTLED * minimumDwells(before) * dwell;
  return { since: now, moves: isSettled ? 1 : before.moves + 1 };
}

/** The stay of a session that was not moved there: it came so, or had to leave. */
export function stayAfterArrival(now: number): Stay {
  return { since: now, moves: 0 };
}
