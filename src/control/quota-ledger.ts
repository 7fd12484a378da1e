import { formatEndpoint } from '../model/endpoint.js';
import { DAY_MS, periodAt } from '../model/quota-period.js';
import { qualifiedName } from '../model/session.js';
import type { Subflow } from '../model/subflow.js';
import type { Plan, SessionPlan } from '../steering/plan.js';
import { FIRST_OF_MONTH, type DayTotals } from '../steering/quota.js';

/** The most days that are kept for a client on a path: more than a month has. */
export const MAX_DAYS = 40;
/** The most pairs of a client and a path that are counted. */
export const MAX_ACCOUNTS = 50_000;
/** The most subflows that are remembered of one connection. */
export const MAX_SUBFLOWS = 128;
/** The most connections that are remembered although they are not there. */
export const MAX_GONE = 10_000;
/** How long a connection is remembered that is not there, milliseconds. An observation can fail for a while. */
const REMEMBERED_MS = 3_600_000;
/** Milliseconds between two removals of connections that are gone. */
const PRUNE_MS = 60_000;

/** One subflow of a connection that is counted. */
interface CountedSubflow {
  /** Payload in both directions that was counted already, bytes. */
  readonly bytes: number;
  /** When it was last observed, milliseconds since the host started. */
  readonly seenAt: number;
}

/** A connection that is counted. */
interface CountedConnection {
  /** By both endpoints. */
  readonly subflows: Map<string, CountedSubflow>;
  seenAt: number;
}

/** A name, and what belongs to it. */
type Pair<Value> = readonly [name: string, value: Value];

/** Everything that has to survive a restart. Plain data: pairs and no objects, because any text can be a name. */
export interface SavedLedger {
  /** By client, then by path: pairs of a day and the bytes that were carried on it; see {@link DayTotals}. */
  readonly accounts: readonly Pair<readonly Pair<readonly (readonly [day: number, bytes: number])[]>[]>[];
  /** By PID of the server and token: pairs of a subflow's endpoints and the bytes that were counted. */
  readonly connections: readonly Pair<readonly Pair<number>[]>[];
}

/** A ledger without any client. */
export const EMPTY_LEDGER: SavedLedger = { accounts: [], connections: [] };

/**
 * Counts what clients with a quota carry, from the counters of their subflows. Those begin at 0 and only increase. What is
 * new since the last round, or since the ledger was saved, counts on the present day in UTC. So each byte counts once.
 */
export class QuotaLedger {
  readonly #accounts = new Map<string, Map<string, Map<number, number>>>();
  readonly #connections = new Map<string, CountedConnection>();
  #accountCount = 0;
  #isFull = false;
  #prunedAt: number;

  /** @param uptime milliseconds since the host started. */
  constructor({ accounts, connections }: SavedLedger, uptime: number) {
    this.#prunedAt = uptime;
    for (const [client, paths] of accounts) {
      const own = new Map(paths.map(([path, days]) => [path, new Map(days)]));
      this.#accounts.set(client, own);
      this.#accountCount += own.size;
    }
    for (const [key, subflows] of connections) {
      this.#connections.set(key, {
        subflows: new Map(subflows.map(([ends, bytes]) => [ends, { bytes, seenAt: uptime }])),
        seenAt: uptime,
      });
    }
  }

  /** What each client has carried: by client, then by path. It changes with each round. */
  get accounts(): ReadonlyMap<string, ReadonlyMap<string, DayTotals>> {
    return this.#accounts;
  }

  /** Whether a client was not counted, because there are {@link MAX_ACCOUNTS} already. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /**
   * Counts a round.
   * @param now Unix time, milliseconds.
   * @param uptime milliseconds since the host started.
   * @returns whether anything changed that should be saved.
   */
  addRound({ sessions }: Pick<Plan, 'sessions'>, now: number, uptime: number): boolean {
    let isChanged = false;
    for (const session of sessions) if (this.#addSession(session, now, uptime)) isChanged = true;
    if (uptime - this.#prunedAt >= PRUNE_MS) {
      this.#prunedAt = uptime;
      this.#forgetGone(uptime);
      this.#forgetOld(now);
    }
    return isChanged;
  }

  /** What has to survive a restart. */
  save(): SavedLedger {
    return {
      accounts: [...this.#accounts].map(([client, paths]) => [
        client,
        [...paths].map(([path, days]) => [path, [...days]]),
      ]),
      connections: [...this.#connections].map(([key, { subflows }]) => [
        key,
        [...subflows].map(([ends, { bytes }]) => [ends, bytes]),
      ]),
    };
  }

  /** Counts one session. A connection that is counted once stays counted, so that a changed rule counts nothing twice. */
  #addSession({ session, connection, rule, subflows }: SessionPlan, now: number, uptime: number): boolean {
    if (!connection) return false;
    const key = `${connection.pid} ${connection.token}`;
    const known = this.#connections.get(key);
    if (!known && !rule.quota) return false;
    const counted = known ?? { subflows: new Map<string, CountedSubflow>(), seenAt: uptime };
    if (!known) this.#connections.set(key, counted);
    counted.seenAt = uptime;
    let isChanged = !known;
    for (const { subflow, path } of subflows) {
      const bytes = payloadOf(subflow);
      if (bytes === undefined) continue;
      const ends = `${formatEndpoint(subflow.local)} ${formatEndpoint(subflow.remote)}`;
      const last = counted.subflows.get(ends)?.bytes;
      const first = (known ?? hasBegunInPeriod({ session, rule }, path, now)) ? bytes : 0;
      // a subflow between the same ends that has carried less is another one
      const increase = last === undefined ? first : bytes >= last ? bytes - last : bytes;
      counted.subflows.set(ends, { bytes, seenAt: uptime });
      if (bytes !== last) isChanged = true;
      if (increase > 0 && path !== undefined) this.#add(qualifiedName(session), path, increase, now);
    }
    if (counted.subflows.size > MAX_SUBFLOWS) forgetSubflows(counted);
    return isChanged;
  }

  #add(client: string, path: string, bytes: number, now: number): void {
    const paths = this.#accounts.get(client) ?? new Map<string, Map<number, number>>();
    const days = paths.get(path);
    const today = Math.floor(now / DAY_MS);
    if (days) {
      days.set(today, (days.get(today) ?? 0) + bytes);
      if (days.size > MAX_DAYS) forgetFarthestDay(days, today);
      return;
    }
    if (this.#accountCount >= MAX_ACCOUNTS) {
      this.#isFull = true;
      return;
    }
    this.#accountCount += 1;
    paths.set(path, new Map([[today, bytes]]));
    this.#accounts.set(client, paths);
  }

  /** Drops connections that have not been there for long, and those above {@link MAX_GONE}. */
  #forgetGone(uptime: number): void {
    const gone = [...this.#connections].filter(([, { seenAt }]) => uptime - seenAt > PRUNE_MS);
    gone.sort(([, a], [, b]) => b.seenAt - a.seenAt);
    for (const [index, [key, { seenAt }]] of gone.entries()) {
      if (index >= MAX_GONE || uptime - seenAt > REMEMBERED_MS) this.#connections.delete(key);
    }
  }

  /** Drops accounts whose every day is far from the present one. A wrong clock makes days far from the present. */
  #forgetOld(now: number): void {
    const today = Math.floor(now / DAY_MS);
    for (const [client, paths] of this.#accounts) {
      for (const [path, days] of paths) {
        if ([...days.keys()].some((day) => Math.abs(day - today) <= 2 * MAX_DAYS)) continue;
        paths.delete(path);
        this.#accountCount -= 1;
      }
      if (paths.size === 0) this.#accounts.delete(client);
    }
    this.#isFull = false;
  }
}

/** Payload of a subflow in both directions, bytes; undefined if the backend does not know it. */
function payloadOf({ bytesAcked, bytesReceived }: Subflow): number | undefined {
  if (bytesAcked === undefined || bytesReceived === undefined) return undefined;
  return bytesAcked + bytesReceived;
}

/**
 * Whether all that a session carried belongs to the present period of a path's quota. If a connection is older and was not
 * counted before, it is not known when it carried what.
 */
function hasBegunInPeriod(
  {
    session: { since },
    rule: { quota = {}, quotaDay = FIRST_OF_MONTH },
  }: Pick<SessionPlan, 'session' | 'rule'>,
  path: string | undefined,
  now: number,
): boolean {
  if (since === undefined) return false;
  const period = new Map(Object.entries(quota)).get(path ?? '')?.period ?? 'month';
  return since * 1000 >= periodAt(now, period, quotaDay).start;
}

/** Drops the subflows that were not observed for longest, above {@link MAX_SUBFLOWS}. */
function forgetSubflows({ subflows }: CountedConnection): void {
  const bySeen = [...subflows].sort(([, a], [, b]) => a.seenAt - b.seenAt);
  for (const [ends] of bySeen.slice(0, subflows.size - MAX_SUBFLOWS)) subflows.delete(ends);
}

/** Drops the day that is farthest from the present one, so that days of a wrong clock do not replace right ones. */
function forgetFarthestDay(days: Map<number, number>, today: number): void {
  const distance = (day: number) => Math.abs(day - today);
  const farthest = [...days.keys()].reduce((far, day) => (distance(day) > distance(far) ? day : far), today);
  days.delete(farthest);
}
