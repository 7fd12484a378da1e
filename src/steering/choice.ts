import type { PlacedSession } from './placed-session.js';
import { wantedPaths } from './rule.js';

/** The paths that a mode chose for a session. */
export interface Choice {
  /** The paths to make active, the most important first: at least one, and the session has them all. */
  readonly active: readonly string[];
  /** When the session came to them, milliseconds of a monotonic clock. */
  readonly since: number;
}

/**
 * By `sessionKey`. There is no choice for a session of `active-standby`, where the plan alone decides, or for a session
 * that has none of the paths that its rule wants.
 */
export type Choices = ReadonlyMap<string, Choice>;

/**
 * The paths that a session can use, in the order of its rule: the rule wants them, and the session has a subflow there.
 * If the rule respects the client's priorities, a path on which the client asks for backup is left out, unless no other
 * path remains.
 */
export function choicesOf({ rule, placed }: PlacedSession): string[] {
  const has = wantedPaths(rule).filter((name) => placed.some(({ path }) => path === name));
  const usable = has.filter((name) =>
    placed.some(
      ({ path, subflow }) => path === name && (subflow.peers === 'active' || rule.peerBackup === 'override'),
    ),
  );
  return usable.length > 0 ? usable : has;
}
