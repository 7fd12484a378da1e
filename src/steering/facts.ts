import type { Health } from '../model/health.js';
import { NO_RATE, type Rate } from '../model/rate.js';
import { isSameFourTuple } from '../model/endpoint.js';
import type { Guidance } from './guidance.js';
import { pauseLeft } from './health/avoidance.js';
import { carriesNow } from './health/subflow-health.js';
import type { SessionHealth } from './health/session-health.js';
import { sessionKey, type PlacedSession } from './placed-session.js';
import { currentPrimary } from './subflows.js';

/** What was observed of one subflow; plain data, as `status --json` prints it. */
export interface SubflowFacts {
  /** Absent before the first round, and for a subflow through the tunnel itself. */
  readonly health?: Health;
  /** What it carries, averaged over some seconds, bit/s; absent: not known yet. */
  readonly rate?: Rate;
  /** The fraction of segments that were lost in the last seconds, 0 to 1; absent: too few were sent. */
  readonly loss?: number;
}

/** What was observed of one session. */
export interface SessionFacts {
  readonly facts: readonly string[];
  readonly carriedOn: readonly string[];
}

type Measured = Pick<Guidance, 'health' | 'meter'>;

/** What was observed of one subflow of a session. @param index its place among the session's subflows. */
export function subflowFacts(
  { session, placed }: PlacedSession,
  index: number,
  { health, meter }: Measured,
): SubflowFacts {
  const subflow = placed[index]?.subflow;
  if (subflow === undefined) return {};
  const key = sessionKey(session);
  const is = health.sessions.get(key)?.subflows.find((one) => isSameFourTuple(one, subflow))?.is;
  const connection = meter.connections.get(key);
  const at = connection?.subflows.findIndex((one) => isSameFourTuple(one, subflow)) ?? -1;
  const rate = connection?.meters[at]?.rate;
  return {
    ...(is && { health: is.health }),
    ...(rate && { rate }),
    ...(is?.loss !== undefined && { loss: is.loss }),
  };
}

/** The path that a session's traffic is really on, and what an admin would not expect. */
export function sessionFacts({ session, placed }: PlacedSession, guidance: Measured): SessionFacts {
  const { health, meter } = guidance;
  const { at = 0 } = health;
  const key = sessionKey(session);
  const own = health.sessions.get(key);
  if (!own) return { facts: [], carriedOn: [] };
  const rates = new Map<string, number>();
  for (const { path, last = NO_RATE } of meter.connections.get(key)?.meters ?? [])
    if (path !== undefined) rates.set(path, (rates.get(path) ?? 0) + last.down + last.up);
  const carriedOn = [...own.paths]
    .filter(([, path]) => carriesNow(path, at))
    .map(([path]) => path)
    .sort((a, b) => (rates.get(b) ?? 0) - (rates.get(a) ?? 0));
  return {
    facts: [...primaryFacts(own, currentPrimary(placed), carriedOn, at), ...pauseFacts(own, at)],
    carriedOn,
  };
}

function primaryFacts(
  { paths }: SessionHealth,
  primary: string | undefined,
  carriedOn: readonly string[],
  now: number,
): string[] {
  const is = paths.get(primary ?? '');
  if (primary === undefined || !is) return [];
  const others = carriedOn.filter((path) => path !== primary);
  if (is.health !== 'dead') {
    const isElsewhere = others.length > 0 && !carriedOn.includes(primary);
    return isElsewhere ? [`${primary} is primary, but its traffic is on ${others.join(', ')}`] : [];
  }
  const instead = others.length > 0 ? `the kernel uses ${others.join(', ')}` : 'nothing carries its traffic';
  const since = ((now - is.acknowledgedAt) / 1000).toFixed(0);
  return [`${primary} is primary, but nothing was acknowledged there for ${since} s: ${instead}`];
}

function pauseFacts({ avoided }: SessionHealth, now: number): string[] {
  return [...avoided].flatMap(([path, avoidance]) => {
    const left = pauseLeft(avoidance, now);
    const times = avoidance.failures === 1 ? 'once' : `${avoidance.failures} times`;
    return left > 0 ? [`${path} failed ${times}: not tried for ${(left / 1000).toFixed(0)} s more`] : [];
  });
}
