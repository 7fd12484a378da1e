import type { PathConfig } from '../../config/config.js';
import { isHeldBack, sessionKey, type PlacedSession } from '../placed-session.js';
import { hasUsedQuota } from '../quota.js';
import { wantedPaths } from '../rule.js';
import { pauseLeft } from './avoidance.js';
import { stepPathHealth, UNKNOWN_PATH, type PathHealth, type PathUser } from './path-health.js';
import { stepSessionHealth, type SessionHealth } from './session-health.js';
import type { HealthLimits } from './subflow-health.js';

/** What all subflows and paths really do. Plain data: each round makes a new one. */
export interface HealthState {
  /** Milliseconds of a monotonic clock; absent before the first round. */
  readonly at?: number;
  /** By `sessionKey`. */
  readonly sessions: ReadonlyMap<string, SessionHealth>;
  /** By the path's name: each path of the config. */
  readonly paths: ReadonlyMap<string, PathHealth>;
}

/** Before the first round. */
export const NO_HEALTH: HealthState = { sessions: new Map(), paths: new Map() };

/** The limits of a subflow on no path of the config. */
const NO_LIMITS: HealthLimits = { maxLoss: 1 };

/**
 * One round: what each subflow did since the last round, and what that says of each path.
 * @param now milliseconds of a monotonic clock. If it is earlier than in the round before, this begins again.
 */
export function stepHealth(
  before: HealthState,
  sessions: readonly PlacedSession[],
  paths: readonly PathConfig[],
  now: number,
): HealthState {
  const earlier = before.at !== undefined && before.at > now ? NO_HEALTH : before;
  const elapsed = earlier.at === undefined ? 0 : now - earlier.at;
  const limits = new Map(paths.map((path) => [path.name, path]));
  const limitsOf = (path: string | undefined) => limits.get(path ?? '') ?? NO_LIMITS;
  const users = new Map<string, PathUser[]>(paths.map(({ name }) => [name, []]));
  const stepped = new Map<string, SessionHealth>();
  for (const placedSession of sessions) {
    const { session, connection, rule } = placedSession;
    if (connection === undefined || connection === 'plain') continue;
    const key = sessionKey(session);
    const { token } = connection;
    const known = earlier.sessions.get(key);
    const is = stepSessionHealth(known?.token === token ? known : undefined, placedSession, {
      token,
      limitsOf,
      elapsed,
      now,
    });
    stepped.set(key, is);
    const wants = wantedPaths(rule);
    for (const [path, pathHealth] of is.paths) {
      const avoided = is.avoided.get(path);
      const mayVolunteer = wants.includes(path) && (avoided === undefined || pauseLeft(avoided, now) === 0);
      const isReluctant = hasUsedQuota(placedSession, path) || isHeldBack(placedSession, path);
      users.get(path)?.push({ ...pathHealth, key, mayVolunteer, isReluctant });
    }
  }
  const steppedPaths = paths.map(
    ({ name }) =>
      [name, stepPathHealth(earlier.paths.get(name) ?? UNKNOWN_PATH, users.get(name) ?? [], now)] as const,
  );
  return { at: now, sessions: stepped, paths: new Map(steppedPaths) };
}
