import { beforeEach, describe, expect, it } from 'vitest';
import {
  EMPTY_LEDGER,
  MAX_ACCOUNTS,
  MAX_DAYS,
  MAX_GONE,
  MAX_SUBFLOWS,
  QuotaLedger,
} from '../../../src/control/quota-ledger.js';
import { DAY_MS } from '../../../src/model/quota-period.js';
import { plan, type SessionPlan } from '../../../src/steering/plan.js';
import { configOf, standby } from '../../support/config.js';
import { connection, LTE, NONE, session, WIFI } from '../../support/plans.js';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const HOUR = 3_600_000;
const QUOTA = { lte: { bytes: 1e6, period: 'month', units: 'decimal' } } as const;

interface Carried {
  readonly name?: string;
  readonly number?: number;
  /** Bytes from and to the client, by path. */
  readonly wifi?: number;
  readonly lte?: number;
  /** Unix time in seconds. */
  readonly since?: number;
}

const CONFIG = configOf([], { default: { ...standby(['wifi', 'lte']), quota: QUOTA } });
const CONFIG_WITHOUT_QUOTA = configOf(['wifi', 'lte']);

/** The plan of a session whose subflows have carried this much, two thirds of it to the client. */
function planned({ name = 'alice', number = 1, wifi, lte, since }: Carried, config = CONFIG): SessionPlan {
  const own = { ...session(name, number), ...(since !== undefined && { since }) };
  const carried = [
    [WIFI, wifi],
    [LTE, lte],
  ].filter((each): each is [string, number] => each[1] !== undefined);
  const { subflows, ...rest } = connection(own, ...carried.map(([address]) => address));
  const counted = subflows.map((subflow, index) => {
    const [, all = 0] = carried[index] ?? [];
    const bytesReceived = Math.floor(all / 3);
    return { ...subflow, bytesAcked: all - bytesReceived, bytesReceived };
  });
  const snapshot = { sessions: [{ session: own, connection: { ...rest, subflows: counted } }] };
  const [only] = plan(snapshot, config, NONE).sessions;
  if (!only) throw new Error('a plan without the session');
  return only;
}

let ledger: QuotaLedger;
let uptime: number;
let now: number;

function round(...sessions: Carried[]): boolean {
  uptime += 1000;
  now += 1000;
  return ledger.addRound({ sessions: sessions.map((one) => planned(one)) }, now, uptime);
}

/** All bytes of a client on a path, whatever the day. */
function total(name: string, path: string): number {
  const days = ledger.accounts.get(`a/${name}`)?.get(path) ?? new Map<number, number>();
  return [...days.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** The daemon ends and starts again. */
function restart(): void {
  const text = JSON.stringify(ledger.save());
  ledger = new QuotaLedger(JSON.parse(text) as ReturnType<QuotaLedger['save']>, uptime);
}

const NEW = { since: NOW / 1000 } as const;

describe('what a client carries', () => {
  beforeEach(() => {
    [uptime, now] = [50_000, NOW];
    ledger = new QuotaLedger(EMPTY_LEDGER, uptime);
  });

  it('is counted from the start of its connection, in both directions, on each path', () => {
    expect(round({ ...NEW, wifi: 300, lte: 30 })).toBe(true);
    round({ ...NEW, wifi: 900, lte: 30 });
    expect([total('alice', 'wifi'), total('alice', 'lte')]).toEqual([900, 30]);
    expect(round({ ...NEW, wifi: 900, lte: 30 })).toBe(false);
  });

  it('is counted over reconnects, and of all its connections together', () => {
    round({ ...NEW, lte: 500 });
    round({ ...NEW, number: 2, lte: 100 });
    round({ ...NEW, number: 2, lte: 300 }, { ...NEW, number: 3, lte: 40 });
    expect(total('alice', 'lte')).toBe(840);
  });

  it('is counted of subflows that came later, and of new ones between the same ends', () => {
    round({ ...NEW, wifi: 10 });
    round({ ...NEW, wifi: 10, lte: 70 });
    round({ ...NEW, wifi: 10, lte: 20 });
    expect(total('alice', 'lte')).toBe(90);
  });

  it('is not counted if its rule has no quota', () => {
    const sessions = [planned({ ...NEW, lte: 500 }, CONFIG_WITHOUT_QUOTA)];
    expect(ledger.addRound({ sessions }, now, uptime)).toBe(false);
    expect(ledger.accounts.size).toBe(0);
  });

  it('is not counted of a connection that is older than the period, as long as it was not counted', () => {
    const since = Date.parse('2026-10-31T23:59:00Z') / 1000;
    round({ since, lte: 5000 });
    expect(total('alice', 'lte')).toBe(0);
    round({ since, lte: 5100 });
    expect(total('alice', 'lte')).toBe(100);
  });

  it('counts once after a restart, with what was carried meanwhile', () => {
    round({ ...NEW, wifi: 100, lte: 100 });
    restart();
    round({ ...NEW, wifi: 250, lte: 100 });
    restart();
    restart();
    // a subflow that came while the daemon was down
    round({ ...NEW, wifi: 250, lte: 100 }, { ...NEW, number: 2, lte: 7 });
    expect([total('alice', 'wifi'), total('alice', 'lte')]).toEqual([250, 107]);
  });

  it('counts once if an observation fails for a while', () => {
    round({ ...NEW, lte: 100 });
    for (let minute = 0; minute < 30; minute++) {
      [uptime, now] = [uptime + 60_000, now + 60_000];
      round();
    }
    round({ ...NEW, lte: 130 });
    expect(total('alice', 'lte')).toBe(130);
  });

  it('counts once if the quota is removed and written again', () => {
    round({ ...NEW, lte: 100 });
    ledger.addRound({ sessions: [planned({ ...NEW, lte: 150 }, CONFIG_WITHOUT_QUOTA)] }, now, uptime);
    round({ ...NEW, lte: 175 });
    expect(total('alice', 'lte')).toBe(175);
  });

  it('is on the day on which it was observed, so that a clock that jumps loses and doubles nothing', () => {
    round({ ...NEW, lte: 100 });
    now += 40 * DAY_MS;
    round({ ...NEW, lte: 150 });
    now -= 40 * DAY_MS;
    round({ ...NEW, lte: 175 });
    const today = Math.floor(NOW / DAY_MS);
    expect([...(ledger.accounts.get('a/alice')?.get('lte') ?? [])]).toEqual([
      [today, 125],
      [today + 40, 50],
    ]);
  });

  it('is kept for 40 days, those that are nearest to the present one', () => {
    let lte = 0;
    now += 3000 * DAY_MS;
    round({ ...NEW, lte: (lte += 1) });
    now -= 3000 * DAY_MS;
    for (let day = 0; day < MAX_DAYS + 5; day++) {
      round({ ...NEW, lte: (lte += 10) });
      now += DAY_MS;
    }
    const days = [...(ledger.accounts.get('a/alice')?.get('lte')?.keys() ?? [])];
    const first = Math.floor(NOW / DAY_MS) + 5;
    expect(days).toEqual(Array.from({ length: MAX_DAYS }, (_, index) => first + index));
  });

  it('is forgotten three months after its last day', () => {
    round({ ...NEW, lte: 100 });
    [uptime, now] = [uptime + 90 * DAY_MS, now + 90 * DAY_MS];
    round();
    expect(ledger.accounts.size).toBe(0);
  });
});

describe('limits of the ledger', () => {
  beforeEach(() => {
    [uptime, now] = [50_000, NOW];
    ledger = new QuotaLedger(EMPTY_LEDGER, uptime);
  });

  it('counts 50,000 pairs of a client and a path, and says when there are more', () => {
    const days = [[Math.floor(NOW / DAY_MS), 5]] as const;
    const accounts = Array.from(
      { length: MAX_ACCOUNTS },
      (_, index) => [`a/${index}`, [['lte', days]]] as const,
    );
    ledger = new QuotaLedger({ accounts, connections: [] }, uptime);
    round({ ...NEW, lte: 1 });
    expect([ledger.isFull, total('alice', 'lte')]).toEqual([true, 0]);
    round({ ...NEW, name: '7', number: 2, lte: 1 });
    expect(total('7', 'lte')).toBe(6);
  });

  it('remembers 128 subflows of a connection', () => {
    const plan = planned({ ...NEW, lte: 1 });
    const [only] = plan.subflows;
    if (!only) throw new Error('a plan without a subflow');
    for (let port = 1; port <= 2 * MAX_SUBFLOWS; port++) {
      const remote = { ...only.subflow.remote, port };
      const sessions = [{ ...plan, subflows: [{ ...only, subflow: { ...only.subflow, remote } }] }];
      ledger.addRound({ sessions }, now, ++uptime);
    }
    expect(total('alice', 'lte')).toBe(2 * MAX_SUBFLOWS);
    expect(ledger.save().connections[0]?.[1]).toHaveLength(MAX_SUBFLOWS);
  });

  it('remembers 10,000 connections that are gone, for an hour', () => {
    const all = Array.from({ length: MAX_GONE + 50 }, (_, number) => ({ ...NEW, number, lte: 1 }));
    round(...all);
    uptime += HOUR / 2;
    round();
    expect(ledger.save().connections).toHaveLength(MAX_GONE);
    uptime += HOUR;
    round();
    expect(ledger.save().connections).toEqual([]);
  });
});
