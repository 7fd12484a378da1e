import { describe, expect, it } from 'vitest';
import type { RuleConfig } from '../../../../src/config/config.js';
import type { PathLoad } from '../../../../src/model/path-load.js';
import { costOf } from '../../../../src/steering/cost.js';
import type { ModeRound, ModeSession } from '../../../../src/steering/modes/definition.js';
import { priorityBased } from '../../../../src/steering/modes/priority-based.js';
import { smallestDelay } from '../../../../src/steering/modes/smallest-delay.js';
import { standby, STEERING } from '../../../support/config.js';

const KEY = 'alice';
const DWELL = STEERING.dwell;

const load = (name: string, more: Partial<PathLoad> = {}): PathLoad => ({
  name,
  carried: { down: 0, up: 0 },
  capacity: { down: 20e6, up: 20e6 },
  isLearnt: false,
  foreign: { down: 0, up: 0 },
  isCongested: false,
  health: 'carries',
  ...more,
});

function sessionOf(
  cost: RuleConfig['cost'],
  meters: ModeSession['meters'],
  more: Partial<ModeSession> = {},
): ModeSession {
  const rule = { section: '[default]', ...standby(['wifi', 'lte']), ...(cost && { cost }) };
  return {
    key: KEY,
    rule,
    choices: ['wifi', 'lte'],
    current: 'lte',
    meters,
    rate: { down: 0, up: 0 },
    averagedFor: 60_000,
    ...more,
  };
}

function roundOf(now: number, loads: readonly PathLoad[] = []): ModeRound {
  const loadByPath = new Map(loads.map((one) => [one.name, one]));
  return { steering: STEERING, now, loads, loadByPath, carriedByOthers: () => new Map() };
}

it('a path costs 1 unless the rule says another value', () => {
  expect([
    costOf({ cost: { lte: 2 } }, 'lte'),
    costOf({ cost: { lte: 2 } }, 'wifi'),
    costOf({}, 'lte'),
  ]).toEqual([2, 1, 1]);
  expect(costOf({ cost: { lte: 2 } }, 'constructor')).toBe(1);
});

describe('smallest-delay', () => {
  /** The path after a dwell time on lte, with 30 ms on lte and 40 ms on wifi. */
  function pathWith(cost: RuleConfig['cost']): string | undefined {
    const meters = [
      { path: 'wifi', rtt: 40_000, acknowledgedAt: 0 },
      { path: 'lte', rtt: 30_000, acknowledgedAt: 0 },
    ];
    const session = sessionOf(cost, meters);
    const { state } = smallestDelay.step(smallestDelay.initial, [session], roundOf(0));
    const { choices } = smallestDelay.step(state, [session], roundOf(4 * DWELL));
    return choices.get(KEY)?.active[0];
  }

  it.each([
    [undefined, 'lte'],
    [{ lte: 1.5 }, 'lte'],
    [{ lte: 2 }, 'wifi'],
    [{ wifi: 0.5 }, 'wifi'],
    [{ wifi: 2, lte: 4 }, 'wifi'],
  ])('with the cost %j, a delay of 30 ms on lte and 40 ms on wifi leads to %s', (cost, path) => {
    expect(pathWith(cost)).toBe(path);
  });
});

describe('priority-based', () => {
  /** Seconds from the begin of congestion on wifi until lte joins. */
  function secondsUntilJoin(cost: RuleConfig['cost']): number {
    const session = sessionOf(cost, [], { current: 'wifi' });
    let { state } = priorityBased.step(priorityBased.initial, [session], roundOf(0));
    const loads = [load('wifi', { isCongested: true }), load('lte')];
    for (let second = 0; second < 100; second++) {
      const step = priorityBased.step(state, [session], roundOf(60_000 + second * 1000, loads));
      ({ state } = step);
      if ((step.choices.get(KEY)?.active.length ?? 0) > 1) return second;
    }
    return Infinity;
  }

  it.each([
    [undefined, 0],
    [{ lte: 0.5 }, 0],
    [{ lte: 2 }, 5],
    [{ lte: 4, wifi: 3 }, 15],
  ])('with the cost %j, lte joins after %i s of congestion', (cost, seconds) => {
    expect(secondsUntilJoin(cost)).toBe(seconds);
  });

  /** Whether lte, which carries 4 Mbit/s, leaves when wifi carries this much of its 20 Mbit/s. */
  function leaves(cost: RuleConfig['cost'], wifi: number): boolean {
    const rate = { down: 4e6, up: 0 };
    const session = sessionOf(cost, [{ path: 'lte', rate, acknowledgedAt: 0 }], { current: undefined });
    const before = new Map([[KEY, { active: ['wifi', 'lte'], since: 0 }]]);
    const loads = [load('wifi', { carried: { down: wifi, up: 0 } }), load('lte', { carried: rate })];
    const { choices } = priorityBased.step(before, [session], roundOf(DWELL, loads));
    return choices.get(KEY)?.active.length === 1;
  }

  it('leaves a costly path earlier, and a cheap one later', () => {
    // wifi would be 80, 85, 90 and 95 % full
    const carried = [12e6, 13e6, 14e6, 15e6];
    const leavesAt = (cost?: RuleConfig['cost']) => carried.map((each) => leaves(cost, each));
    expect(leavesAt()).toEqual([true, false, false, false]);
    expect(leavesAt({ lte: 2 })).toEqual([true, true, true, false]);
    expect(leavesAt({ lte: 4 })).toEqual([true, true, true, true]);
    expect(leavesAt({ lte: 0.5 })).toEqual([false, false, false, false]);
  });
});
