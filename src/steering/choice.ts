import type { Session } from '../model/session.js';
import { pauseLeft } from './health/avoidance.js';
import type { HealthState } from './health/health.js';
import type { SessionHealth } from './health/session-health.js';
import { isHeldBack, sessionKey, type PlacedSession } from './placed-session.js';
import { hasUsedQuota } from './quota.js';
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

/** The paths that a session can use now. */
export interface UsablePaths {
  /**
   * Those that are equally good, in the order of the rule; empty: the session has no path that its rule wants, so it is
   * left as it is.
   */
  readonly paths: readonly string[];
  /** Whether its rule wants none of them: all wanted ones are dead, or are held back by the client. */
  readonly isElsewhere: boolean;
}

/** What is against a path. A higher value counts more than all lower ones together. */
const AGAINST = {
  /** More is lost there than `max-loss` allows, or it is slower than `max-delay`. */
  bad: 1,
  /** The client has carried there all that its quota allows. */
  overQuota: 2,
  /** The rule does not want it. */
  unwanted: 4,
  /** The client asks for backup there, and the rule respects this. */
  heldBack: 8,
  /** It was dead for this session a moment ago. */
  suspected: 16,
  /** It is dead for this session, or for most others. */
  dead: 32,
} as const;

/**
 * The paths that a session can use now: those of its paths that have the least against them. So an unwanted path is used
 * only while each wanted one is dead or held back by the client. Then it is the one that carried something last.
 */
export function usablePaths(session: PlacedSession, health: HealthState): UsablePaths {
  const { rule, placed } = session;
  const wants = wantedPaths(rule);
  const present = new Set(placed.flatMap(({ path }) => path ?? []));
  const wanted = wants.filter((path) => present.has(path));
  if (wanted.length === 0) return { paths: [], isElsewhere: false };
  const others = [...present].filter((path) => !wants.includes(path));
  const own = health.sessions.get(sessionKey(session.session));
  const byCarried = others.sort((a, b) => carriedAt(own, b) - carriedAt(own, a));
  const scored = [...wanted, ...byCarried].map((path) => {
    const unwanted = wants.includes(path) ? 0 : AGAINST.unwanted;
    const heldBack = isHeldBack(session, path) ? AGAINST.heldBack : 0;
    const overQuota = hasUsedQuota(session, path) ? AGAINST.overQuota : 0;
    return { path, against: unwanted + heldBack + overQuota + healthScore(session, path, health) };
  });
  const least = Math.min(...scored.map(({ against }) => against));
  const best = scored.filter(({ against }) => against === least).map(({ path }) => path);
  const isElsewhere = (least & AGAINST.unwanted) !== 0;
  return { paths: isElsewhere ? best.slice(0, 1) : best, isElsewhere };
}

function carriedAt(own: SessionHealth | undefined, path: string): number {
  return own?.paths.get(path)?.carriedAt ?? -Infinity;
}

function healthScore(placedSession: PlacedSession, path: string, health: HealthState): number {
  const { session, placed } = placedSession;
  switch (obstacleOf(session, path, health)) {
    case 'dead': {
      const is = health.sessions.get(sessionKey(session))?.paths.get(path)?.health;
      if (is === 'dead') return AGAINST.dead;
      // a path that the session uses shows every moment whether it carries, so no pause is needed
      const isUsed = placed.some((one) => one.path === path && one.subflow.ours === 'active');
      return isUsed && (is === 'carries' || is === 'lossy') ? AGAINST.bad : AGAINST.suspected;
    }
    case 'closed':
      return AGAINST.dead;
    case 'lossy':
      return AGAINST.bad;
    case undefined:
      return 0;
  }
}

/** Why a path that a session has and that its rule prefers is not active. */
export interface Obstacle {
  readonly path: string;
  readonly is: 'dead' | 'closed' | 'lossy' | 'held-back' | 'over-quota';
}

/** The paths that a session has and would use rather than the active ones, and what keeps it from that. */
export function obstaclesOf(
  session: PlacedSession,
  active: readonly string[],
  { health }: { readonly health: HealthState },
): readonly Obstacle[] {
  const { rule, placed } = session;
  if (active.length === 0) return [];
  return wantedPaths(rule).flatMap((path): Obstacle[] => {
    if (active.includes(path) || !placed.some((one) => one.path === path)) return [];
    const overQuota = hasUsedQuota(session, path) ? 'over-quota' : undefined;
    const is = isHeldBack(session, path)
      ? 'held-back'
      : (obstacleOf(session.session, path, health) ?? overQuota);
    return is === undefined ? [] : [{ path, is }];
  });
}

/**
 * What keeps a session from using a path, besides its rule and the client:
 * - `dead`: the session's own subflows there are dead, or were so a moment ago.
 * - `closed`: most other subflows there are dead, or another session tries first whether it is alive again.
 * - `lossy`: too much is lost there, or was lost a moment ago, or it is too slow.
 */
export function obstacleOf(
  session: Session,
  path: string,
  { at = 0, sessions, paths }: HealthState,
): 'dead' | 'closed' | 'lossy' | undefined {
  const key = sessionKey(session);
  const own = sessions.get(key);
  const here = own?.paths.get(path);
  const avoidance = own?.avoided.get(path);
  const avoided = avoidance && pauseLeft(avoidance, at) > 0 ? avoidance.because : undefined;
  if (here?.health === 'dead' || avoided === 'dead') return 'dead';
  const whole = paths.get(path);
  const mayCome = whole === undefined || whole.access === 'open' || whole.volunteer === key;
  // What it carried itself since then shows more than the others do.
  if (!mayCome && !(here && here.acknowledgedAt > whole.since)) return 'closed';
  return here?.health === 'lossy' || avoided === 'lossy' || whole?.health === 'lossy' ? 'lossy' : undefined;
}
