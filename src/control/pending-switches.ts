import { formatEndpoint } from '../model/endpoint.js';
import type { Subflow } from '../model/subflow.js';
import { sessionKey } from '../steering/placed-session.js';
import type { Plan, SessionPlan } from '../steering/plan.js';
import { keyOf, type Switch } from './compare-plans.js';

/**
 * How traffic followed a switch.
 * - `moved`: the first bytes were acknowledged on the new path, by the client or by this host.
 * - `idle`: for {@link IDLE_AFTER_MS} nothing was sent, so there was nothing to move.
 * - `none`: data waited, or another switch came first, or the session ended; nothing was acknowledged on the new path.
 * - `unknown`: the kernel does not count what a subflow carries, or the daemon stopped.
 */
export type SwitchTraffic = 'moved' | 'idle' | 'none' | 'unknown';

/** A switch, once it is known whether traffic followed it. */
export interface ReportedSwitch extends Switch {
  readonly traffic: SwitchTraffic;
  /** Unix time, milliseconds, of the observation that showed the first bytes; only with `moved`. */
  readonly movedAt?: number;
}

/** Milliseconds after the commit, in which a move is checked too (CHECK_MS in steering/moves.ts). */
export const IDLE_AFTER_MS = 3000;

interface Pending {
  readonly made: Switch;
  /** Bytes in both directions, by subflow of the new path, in the observation that verified the switch. */
  readonly carried: ReadonlyMap<string, number>;
}

/** Verified switches of which it is not known yet whether traffic followed. At most one for each session. */
export class PendingSwitches {
  #pending = new Map<string, Pending>();

  /** Whether a switch waits for its traffic. */
  get isWaiting(): boolean {
    return this.#pending.size > 0;
  }

  /**
   * One round.
   * @param made the switches that this round verified.
   * @param plan of the observation that verified them.
   * @param now Unix time, milliseconds.
   * @returns the switches that can be reported, the oldest first.
   */
  update(made: readonly Switch[], plan: Pick<Plan, 'sessions'>, now: number): readonly ReportedSwitch[] {
    if (made.length === 0 && !this.isWaiting) return [];
    const plans = new Map(plan.sessions.map((session) => [keyOf(session), session]));
    const replaced = new Set(made.map(({ session }) => sessionKey(session)));
    const reports: ReportedSwitch[] = [];
    const waiting = new Map<string, Pending>();
    for (const [key, pending] of this.#pending) {
      const traffic = trafficOf(pending, plans.get(key), now) ?? (replaced.has(key) ? 'none' : undefined);
      if (traffic === undefined) waiting.set(key, pending);
      else reports.push(report(pending, traffic, now));
    }
    for (const one of made) {
      const key = sessionKey(one.session);
      const subflows = subflowsOn(one.to, plans.get(key));
      if (subflows.some(isCounted)) waiting.set(key, { made: one, carried: carriedBy(subflows) });
      else reports.push({ ...one, traffic: 'unknown' });
    }
    this.#pending = waiting;
    return reports;
  }

  /** @returns the switches that are still not reported. After that, none waits. */
  flush(): readonly ReportedSwitch[] {
    const reports = [...this.#pending.values()].map(({ made }) => ({ ...made, traffic: 'unknown' as const }));
    this.#pending = new Map();
    return reports;
  }
}

function report({ made }: Pending, traffic: SwitchTraffic, now: number): ReportedSwitch {
  return { ...made, traffic, ...(traffic === 'moved' && { movedAt: now }) };
}

/** @returns undefined while it is not known. */
function trafficOf(
  { made, carried }: Pending,
  session: SessionPlan | undefined,
  now: number,
): SwitchTraffic | undefined {
  if (session === undefined) return 'none';
  const subflows = subflowsOn(made.to, session);
  if (subflows.some((one) => bytesOf(one) > (carried.get(idOf(one)) ?? 0))) return 'moved';
  if (session.current !== undefined && session.current !== made.to) return 'none';
  if (now - made.committedAt < IDLE_AFTER_MS) return undefined;
  return subflows.some(({ unacked = 0 }) => unacked > 0) ? 'none' : 'idle';
}

function subflowsOn(path: string, session: SessionPlan | undefined): readonly Subflow[] {
  return session?.subflows.filter((one) => one.path === path).map(({ subflow }) => subflow) ?? [];
}

function isCounted({ bytesAcked, bytesReceived }: Subflow): boolean {
  return bytesAcked !== undefined || bytesReceived !== undefined;
}

function bytesOf({ bytesAcked = 0, bytesReceived = 0 }: Subflow): number {
  return bytesAcked + bytesReceived;
}

function carriedBy(subflows: readonly Subflow[]): ReadonlyMap<string, number> {
  return new Map(subflows.map((one) => [idOf(one), bytesOf(one)]));
}

function idOf({ local, remote }: Subflow): string {
  return `${formatEndpoint(local)} ${formatEndpoint(remote)}`;
}
