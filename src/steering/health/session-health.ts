import { isSameFourTuple, type FourTuple } from '../../model/endpoint.js';
import type { Health } from '../../model/health.js';
import type { PlacedSession } from '../placed-session.js';
import { isForgotten, whileBad, type Avoidance } from './avoidance.js';
import { stepSubflowHealth, type HealthLimits, type SubflowHealth } from './subflow-health.js';

/** What one session's subflows on one path do, together. Times are milliseconds of a monotonic clock. */
export interface SessionPathHealth {
  readonly health: Health;
  /** When data was last acknowledged there. */
  readonly acknowledgedAt: number;
  /** When data last went in either direction. */
  readonly carriedAt: number;
  /** The highest loss of its subflows, 0 to 1; absent: not known. */
  readonly loss?: number;
}

/** What is kept of one session from one round to the next. */
export interface SessionHealth {
  readonly token: number;
  /** Without those through the tunnel. */
  readonly subflows: readonly (FourTuple & { readonly is: SubflowHealth })[];
  /** By the path's name; only paths on which the session has a subflow. */
  readonly paths: ReadonlyMap<string, SessionPathHealth>;
  /** By the path's name: the paths that were bad for this session. */
  readonly avoided: ReadonlyMap<string, Avoidance>;
}

/** From the worst for a client to the best. */
const ORDER: readonly Health[] = ['dead', 'lossy', 'idle', 'carries'];

/** One round of one session. @param before its last round; undefined: it is new, or has another connection now. */
export function stepSessionHealth(
  before: SessionHealth | undefined,
  { placed }: Pick<PlacedSession, 'placed'>,
  { token, limitsOf, elapsed, now }: SessionRound,
): SessionHealth {
  const own = placed.filter(({ throughTunnel }) => !throughTunnel);
  const subflows = own.map(({ subflow, path }) => {
    const { local, remote } = subflow;
    const earlier = before?.subflows.find((one) => isSameFourTuple(one, subflow))?.is;
    return { local, remote, is: stepSubflowHealth(earlier, subflow, limitsOf(path), elapsed, now) };
  });
  const paths = new Map<string, SessionPathHealth>();
  own.forEach(({ path }, index) => {
    const is = subflows[index]?.is;
    if (path === undefined || !is) return;
    const other = paths.get(path);
    paths.set(path, other ? join(other, is) : is);
  });
  return { token, subflows, paths, avoided: avoidedPaths(before, paths, now) };
}

/** What a round of a session needs besides it. */
export interface SessionRound {
  readonly token: number;
  readonly limitsOf: (path: string | undefined) => HealthLimits;
  /** Milliseconds since the round before. */
  readonly elapsed: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
}

/** Several subflows on one path: the path does what the best of them does, but one that is idle shows nothing. */
function join(one: SessionPathHealth, other: SessionPathHealth): SessionPathHealth {
  const known = [one, other].filter(({ health }) => health !== 'idle');
  const best = known.reduce<Health>(
    (better, { health }) => (ORDER.indexOf(health) > ORDER.indexOf(better) ? health : better),
    known[0]?.health ?? 'idle',
  );
  const loss = Math.max(one.loss ?? -1, other.loss ?? -1);
  return {
    health: best,
    acknowledgedAt: Math.max(one.acknowledgedAt, other.acknowledgedAt),
    carriedAt: Math.max(one.carriedAt, other.carriedAt),
    ...(loss >= 0 && { loss }),
  };
}

/** The paths that were bad, with those that are bad now. */
function avoidedPaths(
  before: SessionHealth | undefined,
  paths: ReadonlyMap<string, SessionPathHealth>,
  now: number,
): ReadonlyMap<string, Avoidance> {
  const avoided = new Map([...(before?.avoided ?? [])].filter(([, one]) => !isForgotten(one, now)));
  for (const [path, { health }] of paths) {
    if (health !== 'dead' && health !== 'lossy') continue;
    const last = before?.paths.get(path)?.health;
    const isNew = last !== 'dead' && last !== 'lossy';
    avoided.set(path, whileBad(before?.avoided.get(path), health, isNew, now));
  }
  return avoided;
}
