import type { RuleConfig } from '../config/config.js';
import { DAY_MS, periodAt } from '../model/quota-period.js';
import { isOverQuota, type QuotaUse } from '../model/quota.js';
import { qualifiedName, type Session } from '../model/session.js';

/** What was carried on each day: by the number of days in UTC since 1970-01-01, bytes of TCP payload. */
export type DayTotals = ReadonlyMap<number, number>;

/** What clients with a quota have carried. */
export interface QuotaAccounts {
  /** The present time, Unix time in milliseconds. */
  readonly now: number;
  /** By `qualifiedName` of the client, then by the path's name. */
  readonly byClient: ReadonlyMap<string, ReadonlyMap<string, DayTotals>>;
}

/** Nobody has carried anything. */
export const NO_ACCOUNTS: QuotaAccounts = { now: 0, byClient: new Map() };

/** The day on which months begin, unless a rule says another one. */
export const FIRST_OF_MONTH = 1;

/** What a session's client has carried on each path with a quota, in the order of its rule. */
export function quotaUses(
  session: Pick<Session, 'server' | 'commonName'>,
  { quota, quotaDay = FIRST_OF_MONTH }: Pick<RuleConfig, 'quota' | 'quotaDay'>,
  { now, byClient }: QuotaAccounts,
): readonly QuotaUse[] | undefined {
  if (quota === undefined) return undefined;
  const paths = byClient.get(qualifiedName(session));
  return Object.entries(quota).map(([path, limit]) => {
    const { start, end } = periodAt(now, limit.period, quotaDay);
    let used = 0;
    for (const [day, bytes] of paths?.get(path) ?? [])
      if (day * DAY_MS >= start && day * DAY_MS < end) used += bytes;
    return { path, ...limit, used, until: end };
  });
}

/** Whether the client has carried on a path all that its quota allows. */
export function hasUsedQuota(
  { quotas = [] }: { readonly quotas?: readonly QuotaUse[] },
  path: string,
): boolean {
  return quotas.some((use) => use.path === path && isOverQuota(use));
}
