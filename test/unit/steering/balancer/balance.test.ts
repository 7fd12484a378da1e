import { describe, expect, test } from 'vitest';

import {
  balance,
  type BalancedPath,
  type BalancedSession,
} from '../../../../src/steering/balancer/balance.js';
import { NOW } from '../../../support/balance-inputs.js';

const MBIT = 1e6;

/** `2.7` or `2.7/1`: Mbit/s down and up. */
function rate(text: string): { down: number; up: number } {
  const [down = 0, up = 0] = text.split('/').map(Number);
  return { down: down * MBIT, up: up * MBIT };
}

function path(name: string, capacity?: string, other?: string): BalancedPath {
  return {
    name,
    ...(capacity !== undefined && { capacity: rate(capacity) }),
    ...(other !== undefined && { other: rate(other) }),
  };
}

function session(id: string, used: string, more: Partial<BalancedSession> = {}): BalancedSession {
  return { id, rate: rate(used), path: 'wifi', since: 0, allowed: ['wifi', 'lte'], ...more };
}

function newSession(id: string, used: string): BalancedSession {
  return { id, rate: rate(used), since: NOW, allowed: ['wifi', 'lte'] };
}

const ALL = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const WIFI = path('wifi', '20/20');
const LTE = path('lte', '20/20');

const moves = (
  sessions: readonly BalancedSession[],
  paths: readonly BalancedPath[] = [WIFI, LTE],
  options: Parameters<typeof balance>[1] = {},
) => balance({ paths, sessions, now: NOW }, options).moves;

/** The sessions that are on each path afterwards. */
function placed(sessions: readonly BalancedSession[], paths = [WIFI, LTE]): Record<string, string[]> {
  const to = new Map(moves(sessions, paths).map((move) => [move.id, move.to]));
  const at = (name: string) => sessions.filter(({ id, path }) => (to.get(id) ?? path) === name);
  return Object.fromEntries(paths.map(({ name }) => [name, at(name).map(({ id }) => id)]));
}

describe('balance distributes sessions', () => {
  test('moves half of ten clients to an empty path of the same capacity', () => {
    const made = balance({ paths: [WIFI, LTE], sessions: ALL.map((id) => session(id, '2.7/0.1')), now: NOW });
    expect(made.moves).toHaveLength(5);
    expect(made.moves[0]).toEqual({ id: 'a', from: 'wifi', to: 'lte' });
    const [before, half] = [{ down: 27 * MBIT, up: 1 * MBIT }, { down: 13.5 * MBIT, up: 0.5 * MBIT }]; // prettier-ignore
    expect(made.paths).toMatchObject([{ name: 'wifi', capacity: WIFI.capacity }, { name: 'lte' }]);
    for (const [index, load] of [before, { down: 0, up: 0 }].entries()) {
      expect(made.paths[index]?.before.down).toBeCloseTo(load.down);
      expect(made.paths[index]?.after.down).toBeCloseTo(half.down);
      expect(made.paths[index]?.after.up).toBeCloseTo(half.up);
    }
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  });

  test('counts foreign traffic: moves four of ten clients to a path with the traffic of two others', () => {
    const sessions = ALL.map((id) => session(id, '2.7'));
    expect(moves(sessions, [WIFI, path('lte', '20/20', '5.4')])).toHaveLength(4);
  });

  test('gives a path of twice the capacity twice the sessions', () => {
    const sessions = ALL.slice(0, 9).map((id) => session(id, '3'));
    expect(moves(sessions, [WIFI, path('lte', '40/40')])).toHaveLength(6);
  });

  test('compares paths by the direction that is fuller', () => {
    const uploads = ['a', 'b', 'c', 'd'].map((id) => session(id, '0.1/2'));
    const made = placed(uploads, [path('wifi', '100/2'), path('lte', '20/6')]);
    expect(made).toMatchObject({ wifi: [expect.any(String)] });
  });

  test('pairs downloads with uploads if both directions are scarce', () => {
    const down = ['a', 'b'].map((id) => session(id, '9/0.1'));
    const up = ['c', 'd'].map((id) => session(id, '0.1/9', { path: 'lte' }));
    const made = placed([...down, ...up], [path('wifi', '10/10'), path('lte', '10/10')]);
    for (const name of ['wifi', 'lte']) {
      expect(made[name]?.filter((id) => 'ab'.includes(id))).toHaveLength(1);
      expect(made[name]?.filter((id) => 'cd'.includes(id))).toHaveLength(1);
    }
  });

  test('moves several sessions together if no single move helps', () => {
    // 7 + 5 and 4 + 4 + 2: only 7 + 4 and 5 + 4 + 2 is even
    const sessions = [
      session('7', '7'),
      session('5', '5'),
      ...['4', '4 too', '2'].map((id) => session(id, id.slice(0, 1), { path: 'lte' })),
    ];
    const after = balance({ paths: [WIFI, LTE], sessions, now: NOW }).paths.map(({ after }) => after.down);
    expect(after).toEqual([11 * MBIT, 11 * MBIT]);
  });

  test('relieves the next fullest path even if it cannot relieve the fullest', () => {
    const stuck = session('stuck', '30', { path: 'dsl', allowed: ['dsl'] });
    const others = ['a', 'b', 'c', 'd'].map((id) => session(id, '2'));
    const made = placed([stuck, ...others], [path('dsl', '1/1'), WIFI, LTE]);
    expect(made).toMatchObject({ dsl: ['stuck'], wifi: { length: 2 }, lte: { length: 2 } });
  });
});

describe('a session stays on its path', () => {
  const crowded = ['a', 'b', 'c', 'd'].map((id) => session(id, '5'));

  test('before its dwell time has passed', () => {
    const since = (age: number) => crowded.map((session) => ({ ...session, since: NOW - age }));
    expect(moves(since(29_999))).toEqual([]);
    expect(moves(since(30_000))).toHaveLength(2);
    expect(moves(since(9_999), undefined, { dwell: 10_000 })).toEqual([]);
    // a time of another clock
    expect(moves(since(-1_000_000))).toHaveLength(2);
  });

  test('if the moves of the round are used up, which the largest sessions get first', () => {
    const sessions = [session('small', '1'), session('large', '8'), session('larger', '9')];
    expect(moves(sessions, undefined, { moves: 1 }).map(({ id }) => id)).toEqual(['larger']);
    expect(moves(sessions, undefined, { moves: 0 })).toEqual([]);
  });

  test('while it is idle', () => {
    const idle = ALL.map((id) => session(id, '0.0039/0.0039'));
    expect(moves([session('busy', '15', { allowed: ['wifi'] }), ...idle])).toEqual([]);
    // but what is reserved for it counts
    expect(moves(idle.map((session) => ({ ...session, minRate: rate('2/0.1') })))).toHaveLength(5);
  });

  test('if the gain is too small', () => {
    const even = [session('a', '5'), session('b', '5.02'), session('c', '5', { path: 'lte' })];
    expect(moves([...even, session('d', '4.98', { path: 'lte' })])).toEqual([]);
    const uneven = [session('a', '1'), session('b', '9'), session('c', '9', { path: 'lte' })];
    expect(moves(uneven)).toEqual([]);
    // from 15 and 5 to 10 and 10: a third less full
    const third = ['a', 'b', 'c'].map((id) => session(id, '5')).concat(session('d', '5', { path: 'lte' }));
    expect(moves(third, undefined, { gain: 0.3 })).toHaveLength(1);
    expect(moves(third, undefined, { gain: 0.4 })).toEqual([]);
  });

  test('if its path is almost empty', () => {
    expect(moves(['a', 'b'].map((id) => session(id, '0.5')))).toEqual([]);
    expect(moves(['a', 'b'].map((id) => session(id, '0.5')), undefined, { negligible: 0 })).toHaveLength(1); // prettier-ignore
  });

  test('if its rule does not allow the other path', () => {
    expect(moves(crowded.map((session) => ({ ...session, allowed: ['wifi'] })))).toEqual([]);
    const dear = { cost: new Map([['lte', 3]]) };
    expect(moves(crowded.map((session) => ({ ...session, ...dear })))).toHaveLength(1);
  });
});

describe('a session without a path', () => {
  test('goes to the path that stays emptiest, at once and in addition to the moves of the round', () => {
    const fresh = newSession('new', '5');
    const others = ['a', 'b'].map((id) => session(id, '5'));
    expect(moves([...others, fresh], undefined, { moves: 0 })).toEqual([{ id: 'new', to: 'lte' }]);
  });

  test('does not follow all other new sessions to the same path', () => {
    const newcomers = ALL.map((id) => newSession(id, '0'));
    for (const others of [[], [session('busy', '5', { path: 'lte' }), session('busier', '6')]]) {
      const made = moves([...newcomers, ...others]).filter(({ to }) => to === 'wifi');
      expect(made.length).toBeGreaterThanOrEqual(4);
      expect(made.length).toBeLessThanOrEqual(6);
    }
  });

  test.each([
    ['its path vanished', [LTE, path('dsl', '20/20')]],
    ['its path carries nothing', [path('wifi', '0/0'), LTE, path('dsl', '20/20')]],
    ['its path carries nothing in one direction', [path('wifi', '20/0'), LTE, path('dsl', '20/20')]],
  ])('%s under load: all its sessions get a path at once, evenly', (_, paths) => {
    const sessions = ALL.map((id) => session(id, '3', { since: NOW, allowed: ['wifi', 'lte', 'dsl'] }));
    const made = moves(sessions, paths, { moves: 1 });
    expect(made).toHaveLength(10);
    expect(made.every(({ from }) => from === 'wifi')).toBe(true);
    expect(made.filter(({ to }) => to === 'lte')).toHaveLength(5);
  });

  test('gets another path if its rule does not allow the old one any more', () => {
    expect(moves([session('a', '0', { since: NOW, allowed: ['lte'] })])).toEqual([
      { id: 'a', from: 'wifi', to: 'lte' },
    ]);
  });

  test('is left as it is if it may use no path, and its load counts', () => {
    const nowhere = session('nowhere', '10', { allowed: ['gone'] });
    expect(moves([nowhere])).toEqual([]);
    expect(moves([nowhere, session('a', '5')])).toEqual([{ id: 'a', from: 'wifi', to: 'lte' }]);
  });
});

describe('capacities and rates that are unknown or not valid', () => {
  const sessions = ALL.map((id) => session(id, '2'));

  test('an unknown capacity counts as the smallest known one, or as the load if that is more', () => {
    const made = balance({ paths: [WIFI, path('dsl', '4/1'), path('lte')], sessions, now: NOW });
    expect(made.paths[2]?.capacity).toEqual(rate('4/1'));
    const [first] = balance({ paths: [path('wifi'), path('lte', '4/4')], sessions, now: NOW }).paths;
    expect(first?.capacity).toEqual(rate('20/4'));
  });

  test('paths count as equal if no capacity is known', () => {
    expect(moves(sessions, [path('wifi'), path('lte')])).toHaveLength(5);
  });

  test.each([
    ['negative', { down: -1, up: -1 }],
    ['no number', { down: NaN, up: NaN }],
    ['half a number', { down: 20 * MBIT, up: NaN }],
  ])('the capacity %s counts as unknown', (_, capacity) => {
    expect(moves(sessions, [WIFI, { name: 'lte', capacity }])).toHaveLength(5);
  });

  test('a path of infinite capacity gets all sessions whose move relieves a path', () => {
    const made = moves(sessions, [WIFI, { name: 'lte', capacity: { down: Infinity, up: 1e300 } }]);
    // one session fills a tenth of this path; all together fill less of the other one, which is 20 million times larger
    expect(made.length).toBeGreaterThanOrEqual(9);
  });

  test('nobody moves if all capacities are 0', () => {
    expect(moves(sessions, [path('wifi', '0/0'), path('lte', '0/0')])).toEqual([]);
  });

  test('rates that are not valid count as 0 or as the highest rate', () => {
    const absurd = [NaN, -5, Infinity, 1e300].map((down, index) => ({ ...session(`${index}`, '0'), rate: { down, up: down } })); // prettier-ignore
    const made = balance({ paths: [WIFI, LTE], sessions: [...absurd, ...sessions], now: NOW });
    expect(made.paths.every(({ after }) => Number.isFinite(after.down))).toBe(true);
    expect(made.moves.filter(({ id }) => id === '0' || id === '1')).toEqual([]);
  });

  test('a cost that is not valid counts as 1', () => {
    const costs = [0, -1, NaN, Infinity].map((cost) => new Map([['lte', cost]]));
    for (const cost of costs) expect(moves(sessions.map((one) => ({ ...one, cost })))).toHaveLength(5);
  });

  test('no paths, no sessions, unknown names and a duplicate path give no moves', () => {
    expect(balance({ paths: [], sessions: [], now: 0 })).toEqual({ moves: [], paths: [] });
    expect(moves(sessions, [])).toEqual([]);
    expect(moves([], [WIFI])).toEqual([]);
    expect(moves(sessions.map((one) => ({ ...one, path: 'elsewhere', allowed: ['__proto__'] })))).toEqual([]);
    expect(moves(sessions, [WIFI, WIFI, LTE])).toHaveLength(5);
    expect(moves(sessions.map((one) => ({ ...one, allowed: ['wifi', 'lte', 'lte'] })))).toHaveLength(5);
  });
});
