import { beforeEach, describe, expect, it } from 'vitest';
import { Rejoiner } from '../../../src/control/rejoiner.js';
import { plan } from '../../../src/steering/plan.js';
import type { Rejoin } from '../../../src/steering/rejoin.js';
import { configOf, standby } from '../../support/config.js';
import { connection, LTE, NONE, session, WIFI } from '../../support/plans.js';

const CONFIG = configOf([], { default: { ...standby(['wifi', 'lte']), rejoinAfter: 10_000 } });

let orders: string[];
let rejoins: Rejoin[];
let problems: string[];

/** Loses a path, and runs rounds for half a minute. @param refusal why OpenVPN does not disconnect the client. */
async function lose(refusal: string | undefined, isDryRun = false): Promise<void> {
  const rejoiner = new Rejoiner({
    disconnect: ({ commonName }) => {
      orders.push(commonName);
      return Promise.resolve(refusal);
    },
    onRejoin: (rejoin) => rejoins.push(rejoin),
    onProblem: (text) => problems.push(text),
  });
  const alice = session('alice');
  for (let second = 0; second < 30; second++) {
    const subflows = second === 0 ? [WIFI, LTE] : [LTE];
    const made = plan(
      { sessions: [{ session: alice, connection: connection(alice, ...subflows) }] },
      CONFIG,
      NONE,
    );
    const sessions = made.sessions.map((one) => ({ ...one, rate: { down: 0, up: 0 } }));
    rejoiner.addRound({ sessions }, isDryRun, second * 1000);
  }
  await Promise.resolve();
}

describe('a client that lost a path', () => {
  beforeEach(() => {
    [orders, rejoins, problems] = [[], [], []];
  });

  it('is disconnected, and that is reported', async () => {
    await lose(undefined);
    expect(orders).toEqual(['alice']);
    expect(rejoins).toMatchObject([{ paths: ['wifi'], lackedMs: 10_000, by: '[default]' }]);
    expect(problems).toEqual([]);
  });

  it('is not reported as disconnected if OpenVPN refuses that', async () => {
    await lose('OpenVPN answers "ERROR"');
    expect([orders, rejoins]).toEqual([['alice'], []]);
    expect(problems).toEqual([
      'alice: cannot be disconnected so that it comes back with wifi: OpenVPN answers "ERROR"',
    ]);
  });

  it('is left alone in a dry run', async () => {
    await lose(undefined, true);
    expect([orders, rejoins, problems]).toEqual([[], [], []]);
  });
});
