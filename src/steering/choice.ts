import type { PlacedSession } from './placed-session.js';

/** The paths that a mode chose for a session. */
export interface Choice {
  /** Those that are to be active, the one that counts most first; at least one, and the session has them all. */
  readonly active: readonly string[];
  /** When it came to them, milliseconds of a clock that is never set. */
  readonly since: number;
}

/** By {@link sessionKey}. Sessions of `active-standby` need none; one without any path that its rule allows has none. */
export type Choices = ReadonlyMap<string, Choice>;

/**
 * The paths that a session may be on: its rule allows them, and it has a subflow there; in the order of the rule. Where
 * the client itself asks for backup on a path and wins, that path is none, as long as there is another.
 */
export function choicesOf({ rule, placed }: PlacedSession): string[] {
  const order = rule.mode === 'priority-based' ? rule.primary : rule.allowed;
  const has = order.filter((name) => placed.some(({ path }) => path === name));
  const usable = has.filter((name) =>
    placed.some(
      ({ path, subflow }) => path === name && (subflow.peers === 'active' || rule.peerBackup === 'override'),
    ),
  );
  return usable.length > 0 ? usable : has;
}
