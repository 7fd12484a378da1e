import { describe, expect, test } from 'vitest';

import {
  FlowSimulation,
  type Demand,
  type SimulatedClient,
  type SimulationOptions,
} from '../../../support/flow-simulation.js';
import { generator, SEED } from '../../../support/random.js';

interface TenClients extends SimulationOptions {
  /** The capacity of both access points in the config, Mbit/s. */
  readonly configured?: number | undefined;
  readonly foreign?: Demand;
}

const MINUTE = 60;

/** Ten clients that have both access points, and foreign traffic of two on the second one. */
function tenClients(demand: Demand, options: TenClients = {}): FlowSimulation {
  const { configured, foreign = demand } = { configured: 20, ...options };
  const clients = Array.from({ length: 10 }, (_, index): SimulatedClient => {
    return { name: `client${index}`, demand, paths: ['wifi', 'lte'] };
  });
  const common = { capacity: 20, ...(configured !== undefined && { configured }) };
  const paths = [
    { name: 'wifi', ...common, foreignDemands: [] },
    { name: 'lte', ...common, foreignDemands: [foreign, foreign] },
  ];
  return new FlowSimulation(paths, clients, { random: generator(SEED), ...options });
}

/** The number of clients that move in the next seconds. */
function movesIn(world: FlowSimulation, seconds: number): number {
  const before = world.moves.length;
  world.run(seconds);
  return world.moves.length - before;
}

describe(
  `balance with ten clients and two foreign ones on two access points, SEED=${SEED}`,
  { timeout: 120_000 },
  () => {
    test.each([
      ['in the config', 20],
      ['to be learnt', undefined],
    ])('constant rates, capacities %s: ends with six and four clients', (_what, configured) => {
      const world = tenClients(2.7, { configured });
      expect(world.fullest()).toBeCloseTo(1.4, 1);
      world.run(30);
      expect(world.counts()).toEqual([6, 4]);
      expect(world.fullest()).toBeLessThanOrEqual(0.92);
      expect(movesIn(world, MINUTE)).toBe(0);
    });

    test('downloads: ends with six and four clients', () => {
      const world = tenClients(Infinity);
      world.run(30);
      expect(world.counts()).toEqual([6, 4]);
      expect(movesIn(world, 10 * MINUTE)).toBe(0);
    });

    test('downloads without foreign traffic: ends with five and five clients', () => {
      const world = tenClients(Infinity);
      for (const path of world.paths) path.foreignDemands = [];
      world.run(30);
      expect(world.counts()).toEqual([5, 5]);
      expect(movesIn(world, 10 * MINUTE)).toBe(0);
    });

    test('downloads move less and less often if no queue is visible', () => {
      const world = tenClients(Infinity, { hasMinRtt: false });
      const first = movesIn(world, 10 * MINUTE);
      // Each client stays twice as long each time: 10, 10, 20, 40, 80, 160, 320 s. In 100 runs it was a third in the middle,
      // and 0.56 at most.
      expect(movesIn(world, 10 * MINUTE)).toBeLessThanOrEqual((first * 2) / 3);
    });

    test('notices that foreign traffic ends, and probes less often after a probe that failed', () => {
      const world = tenClients(2.7);
      world.run(30);
      const [, lte] = world.paths;
      if (!lte) throw new Error('no second access point');
      // the foreign traffic stays: each probe, after 2, 4 and 8 minutes, moves a client there and back
      expect(movesIn(world, 20 * MINUTE)).toBeLessThanOrEqual(10);
      expect(world.fullest()).toBeLessThanOrEqual(1.1);
      lte.foreignDemands = [];
      world.run(30 * MINUTE);
      expect(world.counts()).toEqual([5, 5]);
      expect(movesIn(world, 30 * MINUTE)).toBe(0);
    });

    test('distributes clients that arrive one by one by their number before they use anything', () => {
      const world = tenClients(0, { foreign: 0 });
      for (const client of world.clients) client.isConnected = false;
      for (const client of world.clients) {
        client.isConnected = true;
        client.paths = ['wifi'];
        world.run(0.5);
        world.step();
        client.paths = ['wifi', 'lte'];
        world.run(1);
        world.step();
      }
      expect(world.counts()).toEqual([5, 5]);
      expect(movesIn(world, 10 * MINUTE)).toBe(0);
    });
  },
);

describe('balance in unusual situations', { timeout: 60_000 }, () => {
  test('a path that disappears loses its sessions at once, and gets them again when it is back', () => {
    const world = tenClients(2, { foreign: 0 });
    world.run(30);
    expect(world.counts()).toEqual([5, 5]);
    for (const client of world.clients) client.paths = ['lte'];
    world.step();
    expect(world.counts()).toEqual([0, 10]);
    world.run(MINUTE);
    for (const client of world.clients) client.paths = ['wifi', 'lte'];
    world.run(MINUTE);
    expect(world.counts()).toEqual([5, 5]);
    expect(movesIn(world, MINUTE)).toBe(0);
  });

  test('a session that flaps ten times a second moves no other session', () => {
    const world = tenClients(2.7);
    world.run(MINUTE);
    const [flapper] = world.clients;
    if (!flapper) throw new Error('no client');
    const before = world.moves.length;
    for (let time = 0; time < 300; time++) {
      flapper.isConnected = time % 2 === 0;
      world.run(0.1);
      world.step();
    }
    const others = world.moves.slice(before).filter(({ client }) => client !== flapper.name);
    expect(others.length).toBeLessThanOrEqual(1);
    expect(world.state.modes.balance.assignments.size).toBeLessThanOrEqual(10);
  });

  test('a clock that goes back moves nobody, and later moves still happen', () => {
    const world = tenClients(2.7);
    world.run(30);
    world.now -= 3_600_000;
    world.step();
    expect(movesIn(world, MINUTE)).toBe(0);
    for (const path of world.paths) path.foreignDemands = [];
    for (const client of world.clients.slice(0, 2)) client.demand = 10;
    expect(movesIn(world, MINUTE)).toBeGreaterThan(0);
  });

  test('a clock that jumps ahead only makes limits expire', () => {
    const world = tenClients(2.7);
    world.run(30);
    world.now += 3_600_000;
    world.step();
    expect(movesIn(world, MINUTE)).toBeLessThanOrEqual(10);
    world.run(MINUTE);
    expect(world.counts()).toEqual([6, 4]);
  });

  test('a session without a subflow on an allowed path keeps what it has', () => {
    const world = tenClients(2.7, { rule: { allowed: ['lte'] } });
    for (const client of world.clients.slice(0, 3)) client.paths = ['wifi'];
    world.run(MINUTE);
    expect(world.counts()).toEqual([3, 7]);
    expect(world.moves.map(({ client }) => client)).not.toContain('client0');
  });

  test('uses min-rate, cost and very small capacities', () => {
    const world = tenClients(1, { foreign: 0, rule: { minRate: { down: 3e6, up: 0 }, cost: { lte: 2 } } });
    world.run(MINUTE);
    // 3 Mbit/s are reserved for each; on lte they count for 6: 7 x 3 and 3 x 6
    expect(world.counts()).toEqual([7, 3]);
    const narrow = tenClients(1, { foreign: 0 });
    const [wifi, lte] = narrow.paths;
    if (!wifi || !lte) throw new Error('no access points');
    const almost = new FlowSimulation([wifi, { ...lte, capacity: 0.001, configured: 0.001 }], narrow.clients);
    almost.run(MINUTE);
    expect(almost.counts()).toEqual([10, 0]);
  });
});

describe('the other modes', { timeout: 60_000 }, () => {
  const changes = (world: FlowSimulation) => world.moves.map(({ client, to }) => `${client} ${to}`);

  function one(demand: Demand, options: SimulationOptions): FlowSimulation {
    const client: SimulatedClient = { name: 'a', demand, paths: ['wifi', 'lte'] };
    const paths = [
      { name: 'wifi', capacity: 20, configured: 20, foreignDemands: [], delay: 30 },
      { name: 'lte', capacity: 20, configured: 20, foreignDemands: [], delay: 20 },
    ];
    return new FlowSimulation(paths, [client], options);
  }

  test('smallest-delay moves to the quicker path after the dwell time, and stays there', () => {
    const world = one(1, { rule: { mode: 'smallest-delay' } });
    world.run(5 * MINUTE);
    expect(changes(world)).toEqual(['a lte']);
  });

  test('smallest-delay leaves a path that a queue makes slow, and respects the dwell time', () => {
    const world = one(1, { rule: { mode: 'smallest-delay' }, steering: { dwell: 30_000 } });
    world.run(MINUTE);
    const [, lte] = world.paths;
    if (!lte) throw new Error('no second path');
    lte.foreignDemands = [Infinity];
    world.run(20);
    expect(changes(world)).toEqual(['a lte', 'a wifi']);
    // returns after 30, 60, 120, 240, 480 s, and finds it slow each time
    world.run(15 * MINUTE);
    expect(world.moves.length).toBeLessThanOrEqual(8);
    const times = world.moves.map(({ at }) => at);
    for (const [index, at] of times.slice(1).entries())
      expect(at - (times[index] ?? 0)).toBeGreaterThanOrEqual(30_000);
  });

  test('priority-based adds the second path while the first is congested, and removes it later', () => {
    const world = one(25, { rule: { mode: 'priority-based', primary: ['wifi', 'lte'] } });
    world.run(MINUTE);
    expect(changes(world)).toEqual(['a wifi', 'a wifi,lte']);
    const [client] = world.clients;
    if (client) client.demand = 5;
    world.run(MINUTE);
    expect(changes(world)).toEqual(['a wifi', 'a wifi,lte', 'a wifi']);
  });

  test('load-balancing makes all paths active, also one that appears later', () => {
    const world = one(1, { rule: { mode: 'load-balancing' } });
    const [client] = world.clients;
    if (client) client.paths = ['wifi'];
    world.run(10);
    if (client) client.paths = ['wifi', 'lte'];
    world.run(10);
    expect(changes(world)).toEqual(['a wifi', 'a wifi,lte']);
  });
});
