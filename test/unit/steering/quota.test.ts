import { describe, expect, it } from 'vitest';
import type { RuleConfig } from '../../../src/config/config.js';
import { MODES, type Mode } from '../../../src/model/mode.js';
import { DAY_MS } from '../../../src/model/quota-period.js';
import { INITIAL_MODES_STATE, stepModes } from '../../../src/steering/guidance.js';
import { placeSessions } from '../../../src/steering/placed-session.js';
import { planSessions, type SessionPlan } from '../../../src/steering/plan.js';
import { quotaUses, type QuotaAccounts } from '../../../src/steering/quota.js';
import { ruleText } from '../../../src/steering/rule-text.js';
import { configOf } from '../../support/config.js';
import { connection, LTE, NONE, session, WIFI } from '../../support/plans.js';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const TODAY = Math.floor(NOW / DAY_MS);
const MONTH = { bytes: 1000, period: 'month', units: 'decimal' } as const;

/** What alice has carried, by path. */
function accounts(carried: Readonly<Record<string, number>>): QuotaAccounts {
  const paths = Object.entries(carried).map(([path, bytes]) => [path, new Map([[TODAY, bytes]])] as const);
  return { now: NOW, byClient: new Map([['a/alice', new Map(paths)]]) };
}

interface Case {
  readonly mode?: Mode;
  readonly primary?: readonly string[];
  readonly subflows?: readonly string[];
  readonly carried?: Readonly<Record<string, number>>;
  readonly quota?: RuleConfig['quota'];
  readonly overrides?: ReadonlyMap<string, string>;
}

const BOTH = [`${WIFI} backup`, LTE];

/** The plan for alice, after one step of the modes. */
function planned({
  mode = 'active-standby',
  primary = ['lte', 'wifi'],
  subflows = BOTH,
  ...more
}: Case): SessionPlan {
  const { carried = {}, quota = { lte: MONTH }, overrides = NONE } = more;
  const rule: RuleConfig = { mode, primary, allowed: primary, quota, peerBackup: 'respect' };
  const config = configOf([], { default: rule });
  const alice = session('alice');
  const snapshot = { sessions: [{ session: alice, connection: connection(alice, ...subflows) }] };
  const placed = placeSessions(snapshot, config, overrides, accounts(carried));
  const [only] = planSessions(placed, stepModes(INITIAL_MODES_STATE, placed, config, 1000)).sessions;
  if (!only) throw new Error('a plan without the session');
  return only;
}

const activeOf = ({ active, primary }: SessionPlan) => active ?? [primary];

describe.each(MODES)('in the mode %s, a path over its quota', (mode) => {
  it.each([
    ['lte', 'wifi'],
    ['wifi', 'lte'],
  ])('is not used while the client has another one: %s', (path, other) => {
    const quota = { [path]: MONTH };
    const [chosen] = activeOf(planned({ mode, quota, carried: { [path]: 999 } }));
    expect(chosen).toBe(activeOf(planned({ mode }))[0]);
    const over = planned({ mode, quota, carried: { [path]: 1000 } });
    expect(activeOf(over)).toEqual([other]);
    expect(over.reason).toContain(`${path} is over its quota`);
  });

  it('is used if the client has no other path that its rule wants', () => {
    expect(activeOf(planned({ mode, carried: { lte: 5000 }, subflows: [LTE] }))).toEqual(['lte']);
    expect(
      activeOf(planned({ mode, carried: { lte: 5000 }, primary: ['lte', 'office'], subflows: [WIFI, LTE] })),
    ).toEqual(['lte']);
  });

  it('is used if all others are over theirs too', () => {
    const quota = { lte: MONTH, wifi: MONTH };
    const over = planned({ mode, quota, carried: { lte: 5000, wifi: 5000 } });
    expect(activeOf(over)).toEqual(activeOf(planned({ mode })));
  });

  it('is not preferred to another one that the client holds back, because the client decides that', () => {
    const subflows = [`${WIFI} backup/backup`, LTE];
    expect(activeOf(planned({ mode, subflows, carried: { lte: 5000 } }))).toEqual(['lte']);
  });
});

describe('an override', () => {
  it('counts although the path is over its quota, and what is carried still counts', () => {
    const overrides = new Map([['a/alice', 'lte']]);
    const made = planned({ carried: { lte: 5000 }, overrides });
    expect(made).toMatchObject({ primary: 'lte', quotas: [{ path: 'lte', used: 5000 }] });
    expect(ruleText(made.rule)).toBe('primary = lte');
  });
});

describe('what a client has used', () => {
  it('is the sum of the days of the present period', () => {
    const days = new Map([
      [TODAY - 28, 1],
      [TODAY - 27, 20],
      [TODAY - 6, 300],
      [TODAY - 5, 4000],
      [TODAY, 50_000],
      [TODAY + 1, 600_000],
      [TODAY + 3, 7_000_000],
    ]);
    const all = { now: NOW, byClient: new Map([['a/alice', new Map([['lte', days]])]]) };
    const used = (period: 'day' | 'week' | 'month', quotaDay?: number) =>
      quotaUses(
        session('alice'),
        { quota: { lte: { ...MONTH, period } }, ...(quotaDay !== undefined && { quotaDay }) },
        all,
      )?.map((use) => [use.used, new Date(use.until).toISOString().slice(0, 10)]);
    expect(used('day')).toEqual([[50_000, '2026-11-29']]);
    expect(used('week')).toEqual([[654_000, '2026-11-30']]);
    expect(used('month')).toEqual([[654_320, '2026-12-01']]);
    expect(used('month', 28)).toEqual([[7_650_000, '2026-12-28']]);
    expect(quotaUses(session('bob'), { quota: { lte: MONTH } }, all)).toMatchObject([{ used: 0 }]);
    expect(quotaUses(session('alice'), {}, all)).toBeUndefined();
  });
});
