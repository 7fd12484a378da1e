import { describe, expect, test } from 'vitest';

import type { Priority } from '../../../src/model/subflow.js';
import type { RuleConfig } from '../../../src/config/config.js';
import { outlookText } from '../../../src/steering/outlook.js';
import { NO_GUIDANCE, type Guidance } from '../../../src/steering/guidance.js';
import { sessionKey } from '../../../src/steering/placed-session.js';
import { plan, type SessionPlan } from '../../../src/steering/plan.js';
import type { ObservedSession } from '../../../src/steering/snapshot.js';
import { ALICE_SESSION, LTE, SERVER, WIFI } from '../../support/alice.js';
import { configOf, standby, STEERING } from '../../support/config.js';

const MBIT = 1e6;
const KEY = sessionKey(ALICE_SESSION);

function alice(wifi: Priority, lte?: Priority): ObservedSession {
  const subflow = (remote: typeof WIFI, ours: Priority, rtt: number) =>
    ({ local: SERVER, remote, ours, peers: 'active', mpPrioPending: false, rtt }) as const;
  const subflows = [subflow(WIFI, wifi, 30_000), ...(lte ? [subflow(LTE, lte, 50_000)] : [])];
  return {
    session: ALICE_SESSION,
    connection: { pid: ALICE_SESSION.pid, remote: WIFI, local: SERVER, token: 1, subflows },
  };
}

const rule = (more: Partial<RuleConfig>): RuleConfig => ({
  ...standby([]),
  mode: 'balance',
  allowed: ['wifi', 'lte'],
  ...more,
});

type Load = Guidance['loads'][number];

const path = (name: string, down: number, more: Partial<Load> = {}): Load => ({
  name,
  carried: { down: down * MBIT, up: 0 },
  capacity: { down: 20 * MBIT, up: 20 * MBIT },
  isLearnt: false,
  foreign: { down: 0, up: 0 },
  isCongested: false,
  health: 'carries',
  ...more,
});

const guided = (active: readonly string[], more: Partial<Guidance> = {}): Guidance => ({
  ...NO_GUIDANCE,
  choices: new Map(active.length > 0 ? [[KEY, { active, since: 0 }]] : []),
  loads: [path('wifi', 16), path('lte', 8)],
  rates: new Map([[KEY, { down: 2 * MBIT, up: 0.1 * MBIT }]]),
  ...more,
});

function planned(
  observed: ObservedSession,
  more: Partial<RuleConfig>,
  guidance: Guidance,
  overrides: ReadonlyMap<string, string> = new Map(),
): SessionPlan {
  const config = { ...configOf([]), default: rule(more) };
  const [only] = plan({ sessions: [observed] }, config, overrides, guidance).sessions;
  if (!only) throw new Error('a plan without the session');
  return only;
}

const wishes = ({ wishes }: SessionPlan) =>
  wishes.map(({ name, priority }) => `${name.remote.address} ${priority}`);

describe('a session whose mode chooses in steps', () => {
  test('gets the one path that the mode chose as primary', () => {
    const made = planned(alice('active', 'backup'), {}, guided(['lte']));
    expect(made).toMatchObject({
      state: 'pending',
      primary: 'lte',
      current: 'wifi',
      missing: [],
      rate: { down: 2 * MBIT },
      reason: 'lte is to be primary by balance of [default]',
    });
    expect(wishes(made)).toEqual([`${LTE.address} active`, `${WIFI.address} backup`]);
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  });

  test('gets several paths active together, and none primary', () => {
    const made = planned(
      alice('backup', 'active'),
      { mode: 'load-balancing' },
      guided(['wifi', 'lte'], { isDryRun: true }),
    );
    expect(made).toMatchObject({ state: 'pending', active: ['wifi', 'lte'] });
    expect(made).not.toHaveProperty('primary');
    expect(made.reason).toBe(
      'wifi, lte are to be active by load-balancing of [default]; dry-run: nothing is set',
    );
    expect(wishes(made)).toEqual([`${WIFI.address} active`]);
  });

  test('keeps what it has if it has lost the chosen path', () => {
    const made = planned(alice('active'), { allowed: ['lte'] }, guided(['lte']));
    expect(made).toMatchObject({ state: 'absent', missing: ['lte'], wishes: [] });
    expect(made.reason).toContain('[default] allows lte, where the client has no subflow: keeps what it has');
  });

  test('is pending before the first choice, and left as it is', () => {
    const made = planned(alice('active', 'active'), {}, guided([]));
    expect(made).toMatchObject({ state: 'pending', wishes: [] });
    expect(made.reason).toBe('balance of [default] has not chosen its path yet');
  });

  test('follows an override, whatever its mode chose', () => {
    const made = planned(alice('active', 'backup'), {}, guided(['wifi']), new Map([['lab/alice', 'lte']]));
    expect(made).toMatchObject({ state: 'pending', primary: 'lte', rule: { section: 'override' } });
  });
});

describe('the outlook says what would move a session', () => {
  const text = (made: SessionPlan, guidance: Guidance, now = 4000) =>
    outlookText(made, { guidance, steering: STEERING, now });

  test('of balance: how full the other paths would be, and the limit', () => {
    const guidance = guided(['wifi']);
    expect(text(planned(alice('active', 'backup'), {}, guidance), guidance)).toEqual([
      'load: it uses 2/0.1 Mbit/s',
      'load: path wifi carries 16/0 of 20/20 Mbit/s, 80 % full',
      'load: path lte carries 8/0 of 20/20 Mbit/s, 40 % full',
      'moves: on its path for 4 s; it stays there for at least 10 s',
      'moves: may move to lte: yes; lte would be 50 % full, the limit is 77 %',
    ]);
    const costly = planned(alice('active', 'backup'), { cost: { lte: 2 } }, guidance);
    expect(text(costly, guidance, 20_000).slice(-2)).toEqual([
      'moves: on its path for 20 s',
      'moves: may move to lte: yes; lte would be 60 % full, the limit is 77 %',
    ]);
  });

  test('of balance: that it is idle, has one path, or that a capacity is unknown', () => {
    const idle = guided(['wifi'], { rates: new Map() });
    expect(text(planned(alice('active', 'backup'), {}, idle), idle)).toContain('moves: not while it is idle');
    const one = guided(['wifi']);
    expect(text(planned(alice('active'), {}, one), one).at(-1)).toBe(
      'moves: not possible: it has only one path that it can use',
    );
    const { name, carried, isLearnt, foreign, isCongested, health } = path('lte', 1);
    const unknown = { name, carried, isLearnt, foreign, isCongested, health };
    const young = guided(['wifi'], { loads: [path('wifi', 16), unknown] });
    expect(text(planned(alice('active', 'backup'), {}, young), young).at(-1)).toBe(
      'moves: to lte when subflowd knows what lte and wifi can carry',
    );
  });

  test.each<[string, Partial<RuleConfig>, string[], string[]]>([
    [
      'smallest-delay',
      { mode: 'smallest-delay' },
      ['wifi'],
      [
        'on its path for 20 s',
        'to a path whose round-trip time is at least a fifth and 2 ms lower: wifi 30.0 ms, lte 50.0 ms',
      ],
    ],
    [
      'priority-based, the first alone',
      { mode: 'priority-based', primary: ['wifi', 'lte'] },
      ['wifi'],
      ['lte joins when wifi is congested'],
    ],
    [
      'priority-based, both',
      { mode: 'priority-based', primary: ['wifi', 'lte'] },
      ['wifi', 'lte'],
      ['lte leaves when another path is then at most 80 % full'],
    ],
    [
      'load-balancing',
      { mode: 'load-balancing' },
      ['wifi', 'lte'],
      ["from packet to packet, as the kernel's scheduler decides"],
    ],
    [
      'active-standby',
      { mode: 'active-standby', primary: ['wifi'] },
      [],
      ['only if its rule changes, or its subflows end'],
    ],
  ])('%s', (_what, more, active, expected) => {
    const guidance = guided(active);
    const lines = text(planned(alice('active', 'backup'), more, guidance), guidance, 20_000);
    expect(lines.filter((line) => line.startsWith('moves: '))).toEqual(
      expected.map((line) => `moves: ${line}`),
    );
  });

  test('of active-standby: which path it waits for', () => {
    const made = planned(alice('active'), { mode: 'active-standby', primary: ['lte', 'wifi'] }, NO_GUIDANCE);
    expect(text(made, NO_GUIDANCE)).toEqual(['moves: to lte as soon as the client has a subflow there']);
  });
});
