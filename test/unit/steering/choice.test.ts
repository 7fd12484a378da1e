import { expect, test } from 'vitest';
import type { Health } from '../../../src/model/health.js';
import { usablePaths } from '../../../src/steering/choice.js';
import { NO_HEALTH, type HealthState } from '../../../src/steering/health/health.js';
import { placeSessions, sessionKey } from '../../../src/steering/placed-session.js';
import { configOf } from '../../support/config.js';
import { connection, LTE, session, WIFI } from '../../support/plans.js';

const NOW = 100_000;
const ALICE = session('alice');

/**
 * The paths that alice can use; wifi is active, and lte is backup.
 * @param avoided the paths that were dead a second ago.
 */
function usable(primary: readonly string[], health: Record<string, Health>, avoided: readonly string[]) {
  const sessions = [{ session: ALICE, connection: connection(ALICE, `${WIFI} active`, `${LTE} backup`) }];
  const [placed] = placeSessions({ sessions }, configOf(primary), new Map());
  if (!placed) throw new Error('there is no session');
  const paths = Object.entries(health).map(
    ([path, is]) => [path, { health: is, acknowledgedAt: NOW, carriedAt: NOW }] as const,
  );
  const bad = avoided.map((path) => [path, { because: 'dead', failures: 1, lastBad: NOW - 1000 }] as const);
  const own = { token: 1, subflows: [], paths: new Map(paths), avoided: new Map(bad) };
  const state: HealthState = { ...NO_HEALTH, at: NOW, sessions: new Map([[sessionKey(ALICE), own]]) };
  return usablePaths(placed, state);
}

test('a path that was dead a moment ago is not used, even if it carries something again', () => {
  expect(usable(['lte', 'wifi'], { wifi: 'carries', lte: 'carries' }, ['lte']).paths).toEqual(['wifi']);
});

test('if both paths were dead a moment ago, the active one that carries is used', () => {
  const both = ['wifi', 'lte'];
  expect(usable(['lte'], { wifi: 'carries', lte: 'idle' }, both)).toEqual({
    paths: ['wifi'],
    isElsewhere: true,
  });
  expect(usable(['lte', 'wifi'], { wifi: 'lossy', lte: 'idle' }, both).paths).toEqual(['wifi']);
  expect(usable(['lte', 'wifi'], { wifi: 'idle', lte: 'idle' }, both).paths).toEqual(['lte', 'wifi']);
});

test('a path that was dead a moment ago is used rather than one that is dead', () => {
  expect(usable(['lte'], { wifi: 'idle', lte: 'dead' }, ['wifi', 'lte']).paths).toEqual(['wifi']);
  expect(usable(['wifi', 'lte'], { wifi: 'dead', lte: 'idle' }, ['wifi', 'lte']).paths).toEqual(['lte']);
});

test('of two dead paths the wanted one is used', () => {
  expect(usable(['lte'], { wifi: 'dead', lte: 'dead' }, ['wifi', 'lte']).paths).toEqual(['lte']);
});
