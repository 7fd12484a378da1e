import type { Health } from '../../model/health.js';
import { isForgotten, pauseLeft, whileBad, type Avoidance } from './avoidance.js';
import { carriesNow } from './subflow-health.js';
import type { SessionPathHealth } from './session-health.js';

/** One session on a path, in one round. */
export interface PathUser extends SessionPathHealth {
  /** See `sessionKey` in placed-session.ts. */
  readonly key: string;
  /** Whether the session's rule wants the path, and nothing forbids that the session tries it first. */
  readonly mayVolunteer: boolean;
  /** Whether it would not choose the path: it is over its quota there, or the client holds the path back. */
  readonly isReluctant: boolean;
}

/** What is kept of one path from one round to the next. Times are milliseconds of a monotonic clock. */
export interface PathHealth {
  readonly health: Health;
  /**
   * - `open`: every session may come.
   * - `closed`: most subflows that have something to send are dead, so no session may come.
   * - `trial`: it may be alive again; only the volunteer may come.
   */
  readonly access: 'open' | 'closed' | 'trial';
  /** Since when it has this access. */
  readonly since: number;
  /** The {@link PathUser.key} of the session that tries it; only during a trial, and absent if no session can. */
  readonly volunteer?: string;
  /** Present if the path was dead and this is not forgotten yet. */
  readonly failed?: Avoidance;
}

/** A path of which nothing is known yet. */
export const UNKNOWN_PATH: PathHealth = { health: 'idle', access: 'open', since: -Infinity };

/** A trial went well if the path still carries after these milliseconds. */
const TRIAL_MS = 3000;
/** Milliseconds after which a trial ends even if nobody has tried the path. Each move is checked anyway. */
const LONGEST_TRIAL_MS = 10_000;

/** One round of one path. @param users the sessions with a subflow there. */
export function stepPathHealth(before: PathHealth, users: readonly PathUser[], now: number): PathHealth {
  const health = healthOf(users, now);
  const failed = before.failed && !isForgotten(before.failed, now) ? before.failed : undefined;
  if (health === 'dead') {
    const isNew = before.access !== 'closed';
    const since = isNew ? now : before.since;
    return state({ health, access: 'closed', since, failed: whileBad(failed, 'dead', isNew, now) });
  }
  if (before.access === 'closed') {
    return failed && pauseLeft(failed, now) > 0
      ? state({ health, access: 'closed', since: before.since, failed })
      : state({ health, access: 'trial', since: now, volunteer: volunteerOf(users), failed });
  }
  const { access, since, volunteer = volunteerOf(users) } = before;
  if (access === 'open') return state({ health, access, since, failed });
  const isProven = users.some(({ carriedAt }) => carriedAt >= since + TRIAL_MS);
  return isProven || now - since >= LONGEST_TRIAL_MS
    ? state({ health, access: 'open', since: now, failed })
    : state({ health, access, since, volunteer, failed });
}

/** Leaves out the members that are undefined. */
function state({
  health,
  access,
  since,
  volunteer,
  failed,
}: {
  readonly health: Health;
  readonly access: PathHealth['access'];
  readonly since: number;
  readonly volunteer?: string | undefined;
  readonly failed?: Avoidance | undefined;
}): PathHealth {
  return {
    health,
    access,
    since,
    ...(volunteer !== undefined && { volunteer }),
    ...(failed && { failed }),
  };
}

/** A path does what most of its subflows do that have something to send; without any of these it is idle. */
function healthOf(users: readonly PathUser[], now: number): Health {
  const count = (wanted: Health) => users.filter(({ health }) => health === wanted).length;
  const [dead, lossy, carries] = [count('dead'), count('lossy'), count('carries')];
  const busy = dead + lossy + carries;
  if (dead > busy / 2) return 'dead';
  if (lossy > busy / 2) return 'lossy';
  return users.some((user) => carriesNow(user, now)) ? 'carries' : 'idle';
}

/**
 * The session that tries the path first: the one that something was acknowledged for last. One that would not choose the path
 * is taken only if there is no other.
 */
function volunteerOf(users: readonly PathUser[]): string | undefined {
  const able = users.filter(({ mayVolunteer, health }) => mayVolunteer && health !== 'dead');
  const willing = able.filter(({ isReluctant }) => !isReluctant);
  const [first, ...others] = willing.length > 0 ? willing : able;
  return first && others.reduce((best, one) => (one.carriedAt > best.carriedAt ? one : best), first).key;
}
