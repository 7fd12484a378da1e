import { describe, expect, test } from 'vitest';
import {
  carriedByBoth,
  NO_SECOND_PATHS,
  stepBothPaths,
  type BothAssignment,
  type BothCandidate,
  type BothState,
} from '../../../../src/steering/balancer/both-paths.js';
import { stepFullTimes, type FullTimes } from '../../../../src/steering/balancer/full-paths.js';
import { NO_RATE } from '../../../../src/model/rate.js';
import { pathLoadOf } from '../../../support/path-loads.js';

const MBIT = 1e6;
const SECOND = 1000;

/** A session that uses so many Mbit/s on each path, and may use both. */
function session(wifi: number, lte = 0, both: 'when-full' | 'never' = 'when-full'): BothCandidate {
  const rate = (mbit: number) => ({ down: mbit * MBIT, up: 0 });
  return {
    rule: both === 'when-full' ? { both } : {},
    choices: ['wifi', 'lte'],
    rate: rate(wifi + lte),
    meters: [
      { path: 'wifi', rate: rate(wifi) },
      { path: 'lte', rate: rate(lte) },
    ],
  };
}

/** Rounds of half a second with the same measurements. */
class Rounds {
  now = 100 * SECOND;
  state: BothState = NO_SECOND_PATHS;
  fullTimes: FullTimes = new Map();

  constructor(public assignments: readonly BothAssignment[]) {}

  /** @param wifi, lte Mbit/s that each path of 20 carries. @returns the active paths of each session. */
  run(
    seconds: number,
    candidates: readonly BothCandidate[],
    [wifi, lte]: readonly [number, number],
  ): string[] {
    const loads = [pathLoadOf('wifi', wifi, 20), pathLoadOf('lte', lte, 20)];
    for (const end = this.now + seconds * SECOND; this.now < end; this.now += SECOND / 2) {
      this.fullTimes = stepFullTimes(this.fullTimes, loads, this.now);
      const step = stepBothPaths(this.state, {
        candidates,
        assignments: this.assignments,
        loads,
        fullTimes: this.fullTimes,
        dwell: 10 * SECOND,
        now: this.now,
        hasMoved: false,
      });
      this.state = step.state;
      this.assignments = step.assignments;
    }
    return this.assignments.map(({ active }) => active.join());
  }
}

const onWifi = (count: number) => Array.from({ length: count }, () => ({ active: ['wifi'] }));

describe('a second path', () => {
  test('is given after two seconds to the largest session of a full path, while another path has room', () => {
    const rounds = new Rounds(onWifi(2));
    const sessions = [session(8), session(12)];
    expect(rounds.run(2, sessions, [20, 5])).toEqual(['wifi', 'wifi']);
    expect(rounds.run(0.5, sessions, [20, 5])).toEqual(['wifi', 'wifi,lte']);
  });

  test('is given to one session at a time, and the next is measured first', () => {
    const rounds = new Rounds(onWifi(2));
    const sessions = [session(8), session(12)];
    expect(rounds.run(3, sessions, [20, 5])).toEqual(['wifi', 'wifi,lte']);
    expect(rounds.run(1, sessions, [20, 5])).toEqual(['wifi,lte', 'wifi,lte']);
  });

  test.each<[string, BothCandidate, readonly [number, number]]>([
    ['no path has room', session(20), [20, 17]],
    ['its path is not full', session(15), [15, 0]],
    ['the rule does not say so', session(20, 0, 'never'), [20, 0]],
    ['it is idle', session(0.001), [20, 0]],
    ['it has no other path', { ...session(20), choices: ['wifi'] }, [20, 0]],
  ])('is not given if %s', (_why, one, loads) => {
    expect(new Rounds(onWifi(1)).run(20, [one], loads)).toEqual(['wifi']);
  });

  test('is taken away when the first path has room for all that the session uses', () => {
    const rounds = new Rounds([{ active: ['wifi', 'lte'] }]);
    expect(rounds.run(20, [session(10, 10)], [10, 10])).toEqual(['wifi,lte']);
    expect(rounds.run(1, [session(7, 7)], [7, 7])).toEqual(['wifi']);
  });

  test('is taken away when the session is idle', () => {
    expect(new Rounds([{ active: ['wifi', 'lte'] }]).run(1, [session(0)], [20, 20])).toEqual(['wifi']);
  });

  test('is taken away when it is full and others have no other path, but not from the only session there', () => {
    const both = { active: ['wifi', 'lte'] };
    expect(new Rounds([both]).run(20, [session(20, 20)], [20, 20])).toEqual(['wifi,lte']);
    const rounds = new Rounds([both, { active: ['lte'] }]);
    expect(rounds.run(4, [session(20, 10), session(0, 10)], [20, 20])).toEqual(['wifi', 'lte']);
  });

  test('comes back later each time', () => {
    const rounds = new Rounds(onWifi(1));
    const times: number[] = [];
    let had = false;
    for (let time = 0; time < 1200; time++) {
      const has = (rounds.assignments[0]?.active.length ?? 0) > 1;
      if (has && !had) times.push(time);
      had = has;
      // alone on both, it needs less than one path; on one path it fills that
      rounds.run(0.5, [has ? session(5, 5) : session(20)], has ? [5, 5] : [20, 0]);
    }
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(pauses.length).toBeGreaterThan(2);
    expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses);
    expect(times.length).toBeLessThan(10);
  });

  test('is taken away at once when the rule no longer says so', () => {
    const rounds = new Rounds([{ active: ['wifi', 'lte'] }]);
    expect(rounds.run(0.5, [session(20, 20, 'never')], [20, 20])).toEqual(['wifi']);
  });
});

test('what sessions with two paths carry counts for each path', () => {
  const carried = carriedByBoth(
    [session(3, 4), session(5)],
    [{ active: ['wifi', 'lte'] }, { active: ['wifi'] }],
  );
  expect(carried.get('wifi')).toEqual({ ...NO_RATE, down: 3 * MBIT });
  expect(carried.get('lte')).toEqual({ ...NO_RATE, down: 4 * MBIT });
});
