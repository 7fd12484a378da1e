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
 * By `sessionKey`. A session of `active-standby` has no choice, because the plan alone decides there; nor has a session
 * without a path that its rule allows.
 */
export type Choices = ReadonlyMap<string, Choice>;

/**
 * The paths that a session can use: its rule wants them, and it has a subflow there; in the order of the rule. A path
 * on which the client asks for backup, and the rule respects that, is left out as long as there is another.
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
