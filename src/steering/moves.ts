/** The last change of a session's active paths. */
export interface LastMove {
  /** The paths that the plan makes active, in its order. */
  readonly active: readonly string[];
  /** Since when, milliseconds of a monotonic clock. */
  readonly since: number;
  /** The active paths before. */
  readonly from: readonly string[];
  /** Whether the session went back, because the path that it moved to does not carry. */
  readonly isBack: boolean;
}

/** By `sessionKey`. */
export type LastMoves = ReadonlyMap<string, LastMove>;

/**
 * Milliseconds in which a move is checked. If the session leaves its new path within them, it goes back. Dead paths are
 * found at any time, but right after a move an admin wants to know that it was the move that failed.
 */
const CHECK_MS = 3000;

/**
 * One round of one session.
 * @param active the paths that the plan makes active now.
 * @param current the path that is primary now; undefined: no single path is.
 * @param now milliseconds of a monotonic clock.
 */
export function stepMove(
  before: LastMove | undefined,
  active: readonly string[],
  current: string | undefined,
  now: number,
): LastMove {
  if (before === undefined)
    return { active, since: now, from: current === undefined ? [] : [current], isBack: false };
  if (isSame(before.active, active)) return before;
  const isBack = isSame(before.from, active) && now - before.since <= CHECK_MS && active.length > 0;
  return { active, since: now, from: before.active, isBack };
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((path, index) => path === other[index]);
}
