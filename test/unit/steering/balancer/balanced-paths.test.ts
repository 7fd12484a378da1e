import { expect, test } from 'vitest';
import type { PathLoad } from '../../../../src/model/path-load.js';
import type { BalancedSession } from '../../../../src/steering/balancer/balance.js';
import { balancedPaths, NOTHING_TRIED } from '../../../../src/steering/balancer/balanced-paths.js';
import { pathLoadOf } from '../../../support/path-loads.js';

const MBIT = 1e6;

/** A path whose capacity nobody knows. */
function unknownPath(name: string, carried: number): PathLoad {
  const { name: is, carried: rate, isLearnt, foreign, isCongested, health } = pathLoadOf(name, carried, 1000);
  return { name: is, carried: rate, isLearnt, foreign, isCongested, health };
}

/** Sessions of 2 Mbit/s, so many on each path. */
function sessionsOn(counts: Readonly<Record<string, number>>): BalancedSession[] {
  return Object.entries(counts).flatMap(([path, count]) =>
    Array.from({ length: count }, (_, index) => ({
      id: `${path} ${index}`,
      rate: { down: 2 * MBIT, up: 0 },
      path,
      since: 0,
      allowed: ['wifi', 'lte'],
    })),
  );
}

test.each<[string, PathLoad, number | undefined]>([
  [
    'another path is full: the capacity allows one more session, with headroom',
    pathLoadOf('wifi', 10, 10),
    15,
  ],
  ['no path is full: the capacity is what it carries, with headroom', pathLoadOf('wifi', 5, 10), 12.5],
  ['it carries little: the capacity is the smallest known one', pathLoadOf('wifi', 5, 18), 18],
  ['no capacity is known: there is none', unknownPath('wifi', 10), undefined],
])('of a path without a known capacity while %s', (_what, other, capacity) => {
  const paths = balancedPaths(
    [other, unknownPath('lte', 10)],
    new Map(),
    sessionsOn({ wifi: 5, lte: 5 }),
    NOTHING_TRIED,
  );
  expect(paths[1]?.capacity?.down).toBe(capacity && capacity * MBIT);
});

test('an idle session does not count in the usual size', () => {
  const idle = { id: 'idle', rate: { down: 100, up: 0 }, path: 'wifi', since: 0, allowed: ['wifi'] };
  const loads = [pathLoadOf('wifi', 10, 10), unknownPath('lte', 10)];
  const paths = balancedPaths(loads, new Map(), [idle, ...sessionsOn({ wifi: 5, lte: 5 })], NOTHING_TRIED);
  expect(paths[1]?.capacity?.down).toBe(15 * MBIT);
});
