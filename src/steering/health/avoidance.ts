/** That a path was bad, so that it is avoided for a while. */
export interface Avoidance {
  readonly because: 'dead' | 'lossy';
  /** How often in a row the path became bad. */
  readonly failures: number;
  /** When it was bad last, milliseconds of a monotonic clock. */
  readonly lastBad: number;
}

/** The pause after the first failure, milliseconds. It doubles with each failure. */
const FIRST_PAUSE_MS = 5000;
/** The longest pause, milliseconds. */
const LONGEST_PAUSE_MS = 600_000;
/** A path that worked for this long after its pause counts as good again, milliseconds. */
const FORGOTTEN_AFTER_MS = 60_000;

/** The pause from when the path was bad last until it may be tried again; milliseconds, 5 s to 10 min. */
export function pauseOf({ failures }: Pick<Avoidance, 'failures'>): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1), LONGEST_PAUSE_MS);
}

/** Milliseconds until the path may be tried again; 0: it may be tried now. */
export function pauseLeft(avoidance: Avoidance, now: number): number {
  return now < avoidance.lastBad ? 0 : Math.max(0, avoidance.lastBad + pauseOf(avoidance) - now);
}

/**
 * The avoidance of a path that is bad now.
 * @param before its last one; undefined: it was never bad, or long ago.
 * @param isNew whether it was not bad in the round before.
 */
export function whileBad(
  before: Avoidance | undefined,
  because: Avoidance['because'],
  isNew: boolean,
  now: number,
): Avoidance {
  const isOneMore = before === undefined || (isNew && pauseLeft(before, now) === 0);
  return { because, failures: (before?.failures ?? 0) + Number(isOneMore), lastBad: now };
}

/** Whether the path was bad so long ago that this is forgotten. */
export function isForgotten(avoidance: Avoidance, now: number): boolean {
  return now < avoidance.lastBad || now - avoidance.lastBad >= pauseOf(avoidance) + FORGOTTEN_AFTER_MS;
}
