import { describe, expect, test } from 'vitest';
import type { Session } from '../../../src/model/session.js';
import { plan } from '../../../src/steering/plan.js';
import type { ObservedSession } from '../../../src/steering/snapshot.js';
import {
  configWith,
  connection,
  ELSEWHERE,
  NONE,
  planOne,
  session,
  TUNNEL,
  WIFI,
  wishesOf,
} from '../../support/plans.js';

describe('a subflow through the tunnel itself', () => {
  test('is backup and on no path, even if a prefix contains its address', () => {
    const made = planOne(configWith(['office', 'wifi']), [`${TUNNEL} active`, `${WIFI} active`]);
    expect(wishesOf(made)).toEqual([`${TUNNEL} backup`]);
    expect(made).toMatchObject({ primary: 'wifi', missing: ['office'] });
    expect(made.subflows[0]).toMatchObject({ throughTunnel: true, wished: 'backup' });
    expect(made.subflows[0]).not.toHaveProperty('path');
  });

  test.each([
    ['absent', ['lte']],
    ['unruled', []],
  ] as const)('is backup if the state is %s, and nothing else changes', (state, primary) => {
    const made = planOne(configWith(primary), [`${TUNNEL} active`, `${WIFI} active`, `${ELSEWHERE} backup`]);
    expect(made.state).toBe(state);
    expect(wishesOf(made)).toEqual([`${TUNNEL} backup`]);
    expect(made.reason).toContain('1 of its subflows runs through the tunnel itself: backup');
  });

  test('does not leave a connection without an active subflow', () => {
    const made = planOne(configWith([]), [`${TUNNEL} active`, `${WIFI} backup`]);
    expect(wishesOf(made)).toEqual([`${WIFI} active`, `${TUNNEL} backup`]);
    expect(made.reason).toContain('no other was active, so all others become active');
  });

  test('is reported if no other subflow is left', () => {
    const made = planOne(configWith(['wifi']), [`${TUNNEL} active`]);
    expect(wishesOf(made)).toEqual([`${TUNNEL} backup`]);
    expect(made.reason).toContain('no subflow is left to be active');
  });

  test('has the address of any session of the same server, not of another server', () => {
    const alice = session('alice', 1, []);
    const bob = session('bob', 2, ['10.8.0.3', 'fd00::3']);
    const carol: Session = { ...session('carol', 3, ['10.9.0.4']), server: 'b' };
    const subflows = [`${WIFI} active`, '10.8.0.3 active', 'fd00::3 active', '10.9.0.4 active'];
    const sessions: ObservedSession[] = [
      { session: alice, connection: connection(alice, ...subflows) },
      { session: bob, connection: undefined },
      { session: carol, connection: undefined },
    ];
    const [made] = plan({ sessions }, configWith([]), NONE).sessions;
    expect(made?.subflows.map(({ throughTunnel }) => throughTunnel)).toEqual([false, true, true, false]);
  });
});
