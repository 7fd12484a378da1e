/** Since when a session has been on a path that was chosen for it, and how often it moved before. */
export interface Stay {
  /** When it came there, milliseconds of a monotonic clock. */
  readonly since: number;
  /** How often in a row it moved before it was settled. */
  readonly moves: number;
}

/** After this many minimum stays a session counts as settled. */
const SETTLED_AFTER = 4;
/** The longest minimum stay, in dwell times. */
const MAX_MINIMUM_DWELLS = 32;

/** Milliseconds from `since` to `now`; Infinity if `now` is earlier, because then the age is not known. */
export function ageOf(since: number, now: number): number {
  return now >= since ? now - since : Infinity;
}

/**
 * The minimum stay of a session, in dwell times: 1 to 32. It doubles with each move of a session that is not settled.
 * So a session that moves again and again, because rates change all the time, moves less and less often.
 */
export function minimumDwells({ moves }: Pick<Stay, 'moves'>): number {
  return Math.min(2 ** Math.max(0, moves - 1), MAX_MINIMUM_DWELLS);
}

/** The stay of a session that moves now. @param dwell milliseconds. */
export function stayAfterMove(before: Stay, dwell: number, now: number): Stay {
  const isSettled = ageOf(before.since, now) >= SETTLED_AFTER * minimumDwells(before) * dwell;
  return { since: now, moves: isSettled ? 1 : before.moves + 1 };
}

/** The stay of a session that was not moved by choice: it is new, or could not stay on its old path. */
export function stayAfterArrival(now: number): Stay {
  return { since: now, moves: 0 };
}
