import { describe, expect, test } from 'vitest';
import { FlowSimulation, type Demand, type SimulatedClient } from '../../../support/flow-simulation.js';
import { generator, SEED } from '../../../support/random.js';

const DWELL_MS = 10_000;
const TICK = 0.1;
/** What packets need more than their payload; see FlowSimulation. */
const HEADERS = 1.06;

/** Ten idle clients that have both access points of 20 Mbit/s, 20 s after they came. */
function idleClients(random: () => number, { isTold = true, foreign = 0 } = {}): FlowSimulation {
  const clients = Array.from({ length: 10 }, (_, index): SimulatedClient => {
    return { name: `client${index}`, demand: 0, paths: ['wifi', 'lte'] };
  });
  const common = { capacity: 20, ...(isTold && { configured: 20 }) };
  const foreignDemands: Demand[] = [foreign, foreign];
  const paths = [
    { name: 'wifi', ...common, foreignDemands: [] },
    { name: 'lte', ...common, foreignDemands },
  ];
  const world = new FlowSimulation(paths, clients, { random, roundMs: 250 });
  world.run(20);
  return world;
}

/** Throws if a client moves three times within its dwell time: a move may be corrected once, and no more. */
function checkDwell({ moves }: FlowSimulation): void {
  const last = new Map<string, number[]>();
  for (const { client, at } of moves) {
    const times = last.get(client) ?? [];
    last.set(client, [...times, at]);
    // the first change places the client
    const before = times.slice(1).at(-2);
    if (before === undefined) continue;
    if (at - before < DWELL_MS) throw new Error(`${client} moved three times in ${at - before} ms`);
  }
}

/** An exponentially distributed time, seconds. */
const exponential = (random: () => number, mean: number) => -mean * Math.log(1 - random());
/** A Pareto distributed size with this smallest one; its tail is so heavy that its variance is infinite. */
const pareto = (random: () => number, least: number) => least / (1 - random()) ** (1 / 1.5);

describe(`relief in seconds, SEED=${SEED}`, { timeout: 120_000 }, () => {
  test.each([
    ['told', true, 2],
    ['learnt', false, 4],
  ])(
    'at constant rates, capacities %s: both paths are below their capacity in time',
    (_what, isTold, limit) => {
      const random = generator(SEED);
      for (let run = 0; run < 10; run++) {
        const world = idleClients(random, { isTold, foreign: 2.7 });
        for (const client of world.clients) client.demand = 2.7;
        const isOverloaded = () => world.fullest() * HEADERS > 1;
        expect(isOverloaded()).toBe(true);
        let seconds = 0;
        for (; isOverloaded() && seconds < 30; seconds += TICK) world.run(TICK);
        expect(seconds).toBeLessThanOrEqual(limit);
        const moves = world.moves.length;
        world.run(60);
        expect(world.moves.length).toBe(moves);
      }
    },
  );
});

describe(`rates that change, SEED=${SEED}`, { timeout: 120_000 }, () => {
  test('sources that turn on and off move seldom, and never to and fro', () => {
    const random = generator(SEED);
    const world = idleClients(random, { foreign: 2 });
    const until = world.clients.map(() => world.now);
    const begin = world.moves.length;
    for (let second = 0; second < 600; second += 1) {
      world.clients.forEach((client, index) => {
        if (world.now < (until[index] ?? 0)) return;
        client.demand = client.demand > 0 ? 0 : 5;
        until[index] = world.now + 1000 * exponential(random, client.demand > 0 ? 5 : 10);
      });
      world.run(1);
    }
    checkDwell(world);
    // at most one move of each client in a minute, although each turns on four times
    expect(world.moves.length - begin).toBeLessThanOrEqual(100);
  });

  test('downloads that arrive at random, with heavy-tailed sizes, move seldom, and never to and fro', () => {
    const random = generator(SEED);
    const world = idleClients(random);
    const received = (client: SimulatedClient) => {
      const { connection } = world.observe(client);
      if (connection === undefined || connection === 'plain') return 0;
      return connection.subflows.reduce((sum, { bytesAcked = 0 }) => sum + bytesAcked, 0);
    };
    const ends = world.clients.map(() => 0);
    let nextAt = world.now;
    let downloads = 0;
    const begin = world.moves.length;
    for (const end = world.now + 600_000; world.now < end;) {
      world.clients.forEach((client, index) => {
        if (client.demand > 0 && received(client) >= (ends[index] ?? 0)) client.demand = 0;
      });
      const idle = world.clients.filter(({ demand }) => demand === 0);
      const client = idle[Math.floor(random() * idle.length)];
      if (client && world.now >= nextAt) {
        client.demand = Infinity;
        ends[world.clients.indexOf(client)] = received(client) + pareto(random, 2_000_000);
        nextAt = world.now + 1000 * exponential(random, 2);
        downloads++;
      }
      world.run(0.5);
    }
    checkDwell(world);
    expect(downloads).toBeGreaterThan(150);
    // fewer moves than downloads: most of them end before a move would help
    expect(world.moves.length - begin).toBeLessThan(downloads / 2);
  });
});

test('with `both = when-full`, one download uses both paths, and gives the second one back for a stream', () => {
  const paths = ['wifi', 'lte'].map((name) => ({ name, capacity: 20, configured: 20, foreignDemands: [] }));
  const client: SimulatedClient = { name: 'alice', demand: Infinity, paths: ['wifi', 'lte'] };
  const world = new FlowSimulation(paths, [client], { rule: { both: 'when-full' }, roundMs: 250 });
  world.run(10);
  expect(world.placement()).toEqual({ wifi: ['alice'], lte: ['alice'] });
  const moves = world.moves.length;
  world.run(60);
  expect(world.moves.length).toBe(moves);
  client.demand = 5;
  world.run(10);
  expect(world.counts().toSorted((a, b) => a - b)).toEqual([0, 1]);
});
