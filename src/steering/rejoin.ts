import { qualifiedName, type Session } from '../model/session.js';
import { sessionKey } from './placed-session.js';
import type { SessionPlan } from './plan.js';
import { wantedPaths } from './rule.js';

/** A client below this rate is idle, bit/s, the sum of both directions: OpenVPN's own pings use less. */
const IDLE_RATE = 8000;
/** How long a client must be idle before it is disconnected, milliseconds. */
export const IDLE_FOR_MS = 5000;
/** The most disconnections of one client in an hour. */
export const MAX_REJOINS_PER_HOUR = 2;
const HOUR_MS = 3_600_000;
/** The shortest time between two disconnections of any clients, milliseconds: not all come back at once. */
export const BETWEEN_REJOINS_MS = 1000;

/** What is kept of one session. Times are milliseconds of a monotonic clock. */
interface RejoinSession {
  readonly token: number;
  /** The wanted paths that the client had in this connection. */
  readonly had: ReadonlySet<string>;
  /** By path: since when the client lacks it. */
  readonly lacks: ReadonlyMap<string, number>;
  /** Since when the client is idle; absent: it is not. */
  readonly idleSince?: number;
  /** Whether it was disconnected already. */
  readonly isDone: boolean;
}

/** What is kept from one round to the next. Plain data: each round makes a new one. */
export interface RejoinState {
  /** By {@link sessionKey}: each session whose rule has `rejoin-after`. */
  readonly sessions: ReadonlyMap<string, RejoinSession>;
  /** By `qualifiedName`: when a client was disconnected in the last hour, the earliest first. */
  readonly times: ReadonlyMap<string, readonly number[]>;
  /** When any client was disconnected last. */
  readonly last: number;
}

/** Before the first round. */
export const NO_REJOINS: RejoinState = { sessions: new Map(), times: new Map(), last: -Infinity };

/** A client to disconnect, so that it comes back with all its paths. */
export interface Rejoin {
  readonly session: Session;
  /** The wanted paths that it lost. */
  readonly paths: readonly string[];
  /** How long it lacks the first of them, milliseconds. */
  readonly lackedMs: number;
  /** The section whose rule has `rejoin-after`. */
  readonly by: string;
}

/**
 * One round: finds a client that lost a wanted path of its connection `rejoin-after` ago, and is idle now. Pure.
 * @param isDryRun whether nobody may be disconnected.
 * @param now milliseconds of a monotonic clock.
 * @returns at most one client.
 */
export function stepRejoins(
  before: RejoinState,
  plans: readonly SessionPlan[],
  isDryRun: boolean,
  now: number,
): { readonly state: RejoinState; readonly rejoin?: Rejoin } {
  const times = recentTimes(before.times, now);
  const sessions = new Map<string, RejoinSession>();
  let found: { readonly key: string; readonly rejoin: Rejoin } | undefined;
  const mayRejoin = !isDryRun && now - before.last >= BETWEEN_REJOINS_MS;
  for (const plan of plans) {
    const { session, rule } = plan;
    if (rule.rejoinAfter === undefined) continue;
    const key = sessionKey(session);
    const state = stepSession(before.sessions.get(key), plan, now);
    if (!state) continue;
    sessions.set(key, state);
    if (found || !mayRejoin || !isDue(state, rule.rejoinAfter, now)) continue;
    if ((times.get(qualifiedName(session))?.length ?? 0) >= MAX_REJOINS_PER_HOUR) continue;
    const lackedMs = now - Math.min(...state.lacks.values());
    found = { key, rejoin: { session, paths: [...state.lacks.keys()], lackedMs, by: rule.section } };
  }
  if (!found) return { state: { sessions, times, last: before.last } };
  const { key, rejoin } = found;
  const done = sessions.get(key);
  if (done) sessions.set(key, { ...done, isDone: true });
  const name = qualifiedName(rejoin.session);
  const counted = new Map(times).set(name, [...(times.get(name) ?? []), now]);
  return { state: { sessions, times: counted, last: now }, rejoin };
}

/** One session in one round. A session whose connection could not be observed keeps its state. */
function stepSession(
  before: RejoinSession | undefined,
  { connection, subflows, rule, rate }: SessionPlan,
  now: number,
): RejoinSession | undefined {
  if (!connection || subflows.length === 0) return before;
  const { token } = connection;
  const known = before?.token === token ? before : undefined;
  const wants = wantedPaths(rule);
  const has = new Set(subflows.flatMap(({ path }) => (path === undefined ? [] : [path])));
  const had = new Set(wants.filter((path) => has.has(path) || known?.had.has(path)));
  const lost = [...had].filter((path) => !has.has(path));
  const lacks = new Map(lost.map((path) => [path, known?.lacks.get(path) ?? now]));
  const isIdle = rate !== undefined && rate.down + rate.up < IDLE_RATE;
  return {
    token,
    had,
    lacks,
    ...(isIdle && { idleSince: known?.idleSince ?? now }),
    isDone: known?.isDone ?? false,
  };
}

function isDue({ lacks, idleSince, isDone }: RejoinSession, rejoinAfter: number, now: number): boolean {
  if (isDone || idleSince === undefined || now - idleSince < IDLE_FOR_MS) return false;
  return [...lacks.values()].some((since) => now - since >= rejoinAfter);
}

/** The disconnections of the last hour. */
function recentTimes(times: RejoinState['times'], now: number): RejoinState['times'] {
  if (times.size === 0) return times;
  return new Map(
    [...times].flatMap(([name, all]) => {
      const recent = all.filter((time) => now - time < HOUR_MS);
      return recent.length > 0 ? [[name, recent] as const] : [];
    }),
  );
}
