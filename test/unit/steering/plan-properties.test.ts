import { describe, expect, test } from 'vitest';
import type { Config } from '../../../src/config/config.js';
import { qualifiedName, type Session } from '../../../src/model/session.js';
import { plan, type PriorityChange } from '../../../src/steering/plan.js';
import type { Overrides } from '../../../src/steering/rule.js';
import type { ObservedSession, Snapshot } from '../../../src/steering/snapshot.js';
import { generator, SEED } from '../../support/random.js';
import { configWith, connection, ELSEWHERE, LTE, session, WIFI } from '../../support/plans.js';
import { standby } from '../../support/config.js';

describe('the plan of any snapshot', () => {
  const ROUNDS = 1000;

  /** A random snapshot, config and overrides. */
  function world(random: () => number): { snapshot: Snapshot; config: Config; overrides: Overrides } {
    const below = (limit: number) => Math.floor(random() * limit);
    const pick = <T>(from: readonly [T, ...T[]]): T => from[below(from.length)] as T;
    const names = ['alice', 'bob', 'a*', 'carol.lan'] as const;
    const paths = ['wifi', 'lte', 'office', 'undefined one'] as const;
    const some = () => [...new Set(Array.from({ length: below(3) }, () => pick(paths)))];
    const sessions = Array.from({ length: 1 + below(4) }, (_, index): ObservedSession => {
      const virtual = random() < 0.8 ? [`10.8.0.${index + 2}`] : [];
      const one: Session = { ...session(pick(names), index, virtual), server: pick(['a', 'b']) };
      if (random() < 0.1) return { session: one, connection: pick(['plain', undefined]) };
      const addresses = Array.from({ length: below(6) }, () =>
        pick([WIFI, LTE, '192.168.200.3', ELSEWHERE, '10.8.0.2', '10.8.0.3', '2001:db8:100::2', '10.1.1.1']),
      );
      const priority = () => pick(['active', 'backup']);
      return {
        session: one,
        connection: connection(one, ...addresses.map((address) => `${address} ${priority()}/${priority()}`)),
      };
    });
    const clients = ['*', 'a*', '*.lan'].map((glob) => ({
      glob,
      ...standby(some(), pick(['respect', 'override'] as const)),
    }));
    const overrides = new Map(
      sessions.filter(() => random() < 0.2).map(({ session }) => [qualifiedName(session), pick(paths)]),
    );
    return { snapshot: { sessions }, config: configWith(some(), clients.slice(below(4))), overrides };
  }

  /** The snapshot after a priority change. */
  function apply(snapshot: Snapshot, { name, priority, overridePeer }: PriorityChange): Snapshot {
    return {
      sessions: snapshot.sessions.map((observed) => {
        const { connection } = observed;
        if (typeof connection !== 'object' || connection.remote.port !== name.connection.port)
          return observed;
        const subflows = connection.subflows.map((subflow) =>
          subflow.remote.port === name.remote.port
            ? { ...subflow, ours: priority, ...(overridePeer && { peers: 'active' as const }) }
            : subflow,
        );
        return { ...observed, connection: { ...connection, subflows } };
      }),
    };
  }

  test(
    `leaves an active subflow at every moment, and is complete: ${ROUNDS} snapshots, SEED=${SEED}`,
    { timeout: 60_000 },
    () => {
      const random = generator(SEED);
      const seen = new Set<string>();
      for (let round = 0; round < ROUNDS; round++) {
        const { snapshot, config, overrides } = world(random);
        const made = plan(snapshot, config, overrides);
        expect(plan(snapshot, config, overrides)).toEqual(made);
        let now = snapshot;
        for (const [index, planned] of made.sessions.entries()) {
          seen.add(planned.state);
          const through = new Map(
            planned.subflows.map(({ subflow, throughTunnel }) => [subflow.remote.port, throughTunnel]),
          );
          const others = planned.subflows.filter(({ throughTunnel }) => !throughTunnel);
          const tunnelled = others.length < planned.subflows.length;
          for (const change of planned.wishes) {
            now = apply(now, change);
            const connection = now.sessions[index]?.connection;
            if (typeof connection !== 'object')
              throw new Error('a priority change of a session without a connection');
            const carrying = connection.subflows.some(
              ({ ours, remote }) => ours === 'active' && through.get(remote.port) === false,
            );
            // at no moment are all subflows backup
            expect(carrying || others.length === 0, `round ${round}`).toBe(true);
            // nor in effect, by the priorities of both sides, unless the client holds all of them back
            if (change.priority === 'backup') {
              const free = connection.subflows.filter(
                ({ peers, remote }) => peers === 'active' && through.get(remote.port) === false,
              );
              const isInUse = free.some(({ ours }) => ours === 'active');
              expect(isInUse || free.length === 0, `round ${round}`).toBe(true);
            }
          }
          if (planned.primary === undefined && !tunnelled) expect(planned.wishes).toEqual([]);
          for (const { throughTunnel, wished } of planned.subflows) {
            if (throughTunnel) expect(wished).toBe('backup');
          }
        }
        const after = plan(now, config, overrides);
        expect(after.sessions.flatMap(({ wishes }) => wishes)).toEqual([]);
        for (const [index, { state, primary, current, heldBack }] of after.sessions.entries()) {
          expect(primary).toBe(made.sessions[index]?.primary);
          expect(state).not.toBe('pending');
          if (primary !== undefined && !heldBack) expect(current).toBe(primary);
        }
      }
      expect([...seen].sort()).toEqual([
        'absent',
        'elsewhere',
        'no-subflow',
        'obeyed',
        'pending',
        'plain',
        'unknown',
        'unruled',
      ]);
    },
  );
});
