import { describe, expect, test } from 'vitest';
import type { Config } from '../../../../src/config/config.js';
import type { Subflow } from '../../../../src/model/subflow.js';
import { MODES, type Mode } from '../../../../src/model/mode.js';
import {
  INITIAL_MODES_STATE,
  stepModes,
  type Guidance,
  type ModesState,
} from '../../../../src/steering/guidance.js';
import { placeSessions } from '../../../../src/steering/placed-session.js';
import { planSessions, type SessionPlan } from '../../../../src/steering/plan.js';
import { configOf } from '../../../support/config.js';
import { connection, LTE, session, WIFI } from '../../../support/plans.js';

/** Milliseconds between two rounds. */
const ROUND_MS = 250;
/** Bytes that a working active subflow carries in a round. */
const CARRIED = 250_000;

type Path = 'wifi' | 'lte';

/** Some clients on two paths, and what the kernel shows of them. Paths can die and come back. */
class World {
  now = 0;
  readonly dead = new Set<Path>();
  /** Each client's plan of the last round. */
  plans: readonly SessionPlan[] = [];
  /** `NAME to PATH` for each change of a primary path. */
  readonly moves: string[] = [];
  #state: ModesState = INITIAL_MODES_STATE;
  readonly #subflows: Map<string, Subflow[]>;
  readonly #stalledSince = new Map<string, number>();
  readonly #config: Config;

  constructor(names: readonly string[], mode: Mode, primary: readonly Path[]) {
    const base = configOf(primary);
    this.#config = { ...base, default: { ...base.default, mode, allowed: ['wifi', 'lte'] } };
    this.#subflows = new Map(
      names.map((name, index) => [
        name,
        connection(session(name, index), `${WIFI} active`, `${LTE} backup`).subflows.map((subflow) => ({
          ...subflow,
          remote: { ...subflow.remote, port: subflow.remote.port + 10 * index },
          rtt: pathOf(subflow) === 'wifi' ? 10_000 : 40_000,
          bytesAcked: 0,
          bytesReceived: 0,
          unacked: 0,
          backoff: 0,
        })),
      ]),
    );
  }

  /** Runs rounds for this long. @param ms milliseconds. */
  run(ms: number): this {
    for (const end = this.now + ms; this.now < end; this.now += ROUND_MS) this.#round();
    return this;
  }

  /** The primary path of each client, as it is set. */
  primaries(): (string | undefined)[] {
    return [...this.#subflows.values()].map((subflows) => {
      const active = subflows.filter(({ ours }) => ours === 'active');
      return active.length === 1 && active[0] ? pathOf(active[0]) : undefined;
    });
  }

  #round(): void {
    for (const [name, subflows] of this.#subflows)
      this.#subflows.set(
        name,
        subflows.map((subflow) => this.#carry(name, subflow)),
      );
    const sessions = [...this.#subflows].map(([name, subflows], index) => {
      const alice = session(name, index);
      return { session: alice, connection: { ...connection(alice), subflows } };
    });
    const placed = placeSessions({ sessions }, this.#config, new Map());
    const { state, ...guidance }: Guidance & { state: ModesState } = stepModes(
      this.#state,
      placed,
      this.#config,
      this.now,
    );
    this.#state = state;
    this.plans = planSessions(placed, guidance).sessions;
    for (const plan of this.plans) this.#apply(plan);
  }

  /** What one subflow does in a round: it carries, or waits and is sent again. */
  #carry(name: string, subflow: Subflow): Subflow {
    const path = pathOf(subflow);
    const key = `${name} ${path}`;
    const waits = subflow.ours === 'active' || (subflow.unacked ?? 0) > 0;
    if (!waits) return subflow;
    const { bytesAcked = 0, bytesReceived = 0 } = subflow;
    if (!this.dead.has(path)) {
      this.#stalledSince.delete(key);
      const carried = subflow.ours === 'active' ? CARRIED : 1;
      return {
        ...subflow,
        bytesAcked: bytesAcked + carried,
        bytesReceived: bytesReceived + carried,
        unacked: 0,
        backoff: 0,
      };
    }
    const since = this.#stalledSince.get(key) ?? this.now;
    this.#stalledSince.set(key, since);
    const backoff = Math.floor(Math.log2(1 + (this.now - since) / 250));
    return { ...subflow, unacked: 10, backoff };
  }

  #apply({ session: { commonName }, wishes, current, primary }: SessionPlan): void {
    const subflows = this.#subflows.get(commonName) ?? [];
    for (const { name, priority } of wishes) {
      const index = subflows.findIndex(({ remote }) => remote.port === name.remote.port);
      subflows[index] = { ...(subflows[index] as Subflow), ours: priority };
    }
    if (wishes.length > 0 && primary !== undefined && primary !== current)
      this.moves.push(`${commonName} to ${primary}`);
  }
}

function pathOf({ remote }: Subflow): Path {
  return remote.address === WIFI ? 'wifi' : 'lte';
}

describe.each(MODES)('under %s', (mode) => {
  const world = () => new World(['alice', 'bob', 'carol'], mode, ['wifi', 'lte']);

  test('a path that dies under traffic is left within a second, and by everybody', () => {
    const one = world().run(60_000);
    const [died, stays] = one.primaries().includes('wifi')
      ? (['wifi', 'lte'] as const)
      : (['lte', 'wifi'] as const);
    one.dead.add(died);
    one.run(1000);
    expect(one.primaries()).toEqual([stays, stays, stays]);
  });

  test('nobody is moved to a dead path, however long it is dead', () => {
    const one = world().run(60_000);
    one.dead.add('wifi');
    one.run(1000);
    one.moves.length = 0;
    one.run(300_000);
    expect(one.moves.filter((move) => move.endsWith('to wifi'))).toEqual([]);
    expect(one.primaries()).toEqual(['lte', 'lte', 'lte']);
  });

  test('if both paths are dead, at least one stays active', () => {
    const one = world().run(60_000);
    one.dead.add('wifi').add('lte');
    one.run(30_000);
    for (const { subflows, reason } of one.plans) {
      expect(subflows.some(({ subflow }) => subflow.ours === 'active')).toBe(true);
      expect(reason).toContain('none of its paths carries');
    }
  });
});

describe('a path that comes back', () => {
  test('is tried by one client first, and then used by all', () => {
    const world = new World(['alice', 'bob', 'carol'], 'active-standby', ['wifi', 'lte']).run(10_000);
    world.dead.add('wifi');
    world.run(10_000);
    expect(world.primaries()).toEqual(['lte', 'lte', 'lte']);
    world.dead.clear();
    world.moves.length = 0;
    world.run(6000);
    expect(world.moves).toHaveLength(1);
    world.run(6000);
    expect(world.primaries()).toEqual(['wifi', 'wifi', 'wifi']);
    expect(world.moves).toHaveLength(3);
  });
});

describe('a move that fails', () => {
  /** Alice's rule wants lte alone, and lte swallows everything. */
  function blackHole(): World {
    const world = new World(['alice'], 'active-standby', ['lte']);
    world.dead.add('lte');
    return world;
  }

  test('is taken back, and the reason says so', () => {
    const world = blackHole().run(3000);
    expect(world.moves).toEqual(['alice to lte', 'alice to wifi']);
    expect(world.primaries()).toEqual(['wifi']);
    expect(world.plans[0]).toMatchObject({
      state: 'elsewhere',
      reason: 'wifi is primary by [default]; lte does not carry: back to wifi',
      carriedOn: ['wifi'],
    });
  });

  test('is not repeated while the data that waits there is not acknowledged', () => {
    const world = blackHole().run(600_000);
    expect(world.moves).toEqual(['alice to lte', 'alice to wifi']);
  });

  test('is repeated after a pause that grows, if the path only acknowledges what waits', () => {
    const world = blackHole();
    const triedAfter: number[] = [];
    for (let time = 0; time < 4; time++) {
      world.run(3000);
      // what waited is let through, and then nothing again
      world.dead.clear();
      world.run(ROUND_MS);
      world.dead.add('lte');
      const since = world.now;
      while (world.primaries()[0] !== 'lte' && world.now < since + 300_000) world.run(ROUND_MS);
      triedAfter.push(Math.round((world.now - since) / 1000));
    }
    expect(triedAfter).toEqual([5, 10, 20, 40]);
  });
});
