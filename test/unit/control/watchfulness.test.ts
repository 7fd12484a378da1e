import { expect, it } from 'vitest';
import type { RuleConfig } from '../../../src/config/config.js';
import { watchfulness } from '../../../src/control/watchfulness.js';
import { NO_HEALTH } from '../../../src/steering/health/health.js';
import { plan } from '../../../src/steering/plan.js';
import { configOf, standby } from '../../support/config.js';
import { connection, NONE, session, WIFI } from '../../support/plans.js';

/** Whether a client with one subflow, which cannot be moved, is observed regularly. */
function isNeeded(more: Partial<RuleConfig>): boolean {
  const alice = session('alice');
  const config = configOf([], { default: { ...standby(['wifi', 'lte']), ...more } });
  const made = plan({ sessions: [{ session: alice, connection: connection(alice, WIFI) }] }, config, NONE);
  return watchfulness(made, { health: NO_HEALTH }).isNeeded;
}

it('a client with one subflow is observed regularly if it has a quota or may be disconnected while idle', () => {
  expect(isNeeded({})).toBe(false);
  expect(isNeeded({ quota: { lte: { bytes: 1e6, period: 'day', units: 'decimal' } } })).toBe(true);
  expect(isNeeded({ rejoinAfter: 300_000 })).toBe(true);
});
