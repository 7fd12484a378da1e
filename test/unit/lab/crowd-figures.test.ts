import { expect, test } from 'vitest';
import { arrangements } from '../../lab/crowd/arrangement.js';
import { figuresOf, type RunRecord } from '../../lab/crowd/figures.js';
import type { Sample } from '../../lab/crowd/sampler.js';

const beganMs = 1_000_000;
const megabyte = 1_000_000;

/** A sample after this time: the megabytes of a1 and b1 on each access point until then, and a tenth more at its interface. */
function sample(
  seconds: number,
  a1: readonly [number, number],
  b1: readonly [number, number],
  drops = 0,
): Sample {
  const client = ([own, other]: readonly [number, number]) => ({
    tunnelBytes: (own + other) * megabyte,
    pathBytes: { 'isp-a': own * megabyte, 'isp-b': other * megabyte },
  });
  return {
    timeMs: beganMs + seconds * 1000,
    paths: {
      'isp-a': { bytes: (a1[0] + b1[0]) * 1.1 * megabyte, drops },
      'isp-b': { bytes: (a1[1] + b1[1]) * 1.1 * megabyte, drops: 0 },
    },
    clients: { a1: client(a1), b1: client(b1) },
  };
}

const record: RunRecord = {
  arrangement: arrangements[0],
  load: 'constant',
  clients: [
    { name: 'a1', isOurs: true },
    { name: 'b1', isOurs: false },
  ],
  result: {
    beganMs,
    endedMs: beganMs + 4000,
    clients: [
      { sentBytes: 8 * megabyte, receivedBytes: 6 * megabyte, seconds: 4, delayMs: { median: 3, p95: 9 } },
      { sentBytes: 4 * megabyte, receivedBytes: 4 * megabyte, seconds: 4, delayMs: { median: 1, p95: 2 } },
    ],
  },
  samples: [
    sample(-1, [9, 9], [9, 9], 4),
    sample(0, [10, 10], [10, 10], 5),
    sample(1, [11, 10], [10, 11], 7),
    // a1 has moved, and then gets nothing for a while
    sample(2, [11, 12], [10, 12], 7),
    sample(3, [11, 12], [10, 13], 7),
    sample(4, [11, 15], [10, 14], 7),
    sample(9, [99, 99], [99, 99], 99),
  ],
  latenessMs: 1,
  switches: [
    { event: 'switch', committedAt: beganMs - 5, commonName: 'a1', from: null, to: 'isp-a' },
    { event: 'switch', committedAt: beganMs + 1000, commonName: 'a1', from: 'isp-a', to: 'isp-b' },
  ],
};

test('what was sent, times what a byte costs outside the tunnel, is offered to the path that carries it', () => {
  const { overhead, series, accessPoints } = figuresOf(record);
  expect(overhead).toBeCloseTo(1.1);
  const of = (path: string) => series.filter(({ accessPoint }) => accessPoint === path);
  // 16 Mbit/s for a1, 8 for b1, a tenth more with headers; also where a1’s tunnel is at a standstill
  expect(of('isp-a').map(({ offeredMbit }) => offeredMbit)).toEqual([17.6, 0, 0, 0].map(near));
  expect(of('isp-b').map(({ offeredMbit }) => offeredMbit)).toEqual([8.8, 26.4, 26.4, 26.4].map(near));
  expect(of('isp-a').map(({ carriedMbit }) => carriedMbit)).toEqual([8.8, 0, 0, 0].map(near));
  expect(of('isp-b').map(({ carriedMbit }) => carriedMbit)).toEqual([8.8, 26.4, 8.8, 35.2].map(near));
  expect(accessPoints['isp-a']).toEqual({
    carriedMbit: near(2.2),
    drops: 2,
    offeredMbit: near(4.4),
    offeredInSecondHalfMbit: 0,
  });
  expect(accessPoints['isp-b']).toMatchObject({ drops: 0, offeredInSecondHalfMbit: near(26.4) });
});

test('clients are told by what came in time, moves by the log of the load alone', () => {
  const { clients, moves, jain, placements } = figuresOf(record);
  expect(clients).toEqual([
    {
      name: 'a1',
      isOurs: true,
      goodputMbit: near(12),
      deliveredShare: near(0.75),
      delayMs: { median: 3, p95: 9 },
      carriedBy: { 'isp-a': near(1 / 6), 'isp-b': near(5 / 6) },
    },
    {
      name: 'b1',
      isOurs: false,
      goodputMbit: near(8),
      deliveredShare: 1,
      delayMs: { median: 1, p95: 2 },
      carriedBy: { 'isp-a': 0, 'isp-b': 1 },
    },
  ]);
  expect(jain).toBeCloseTo(20 ** 2 / (2 * (12 ** 2 + 8 ** 2)));
  expect(moves).toEqual([{ seconds: 1, client: 'a1', from: 'isp-a', to: 'isp-b' }]);
  const ofA1 = placements.filter(({ client }) => client === 'a1');
  expect(ofA1.map(({ carriedBy }) => carriedBy?.['isp-b'])).toEqual([0, 1, undefined, 1]);
});

test('downloads have the time that they took, and no offered load', () => {
  const { clients, series, accessPoints } = figuresOf({ ...record, load: 'downloads' });
  expect(clients[0]).toMatchObject({ completionSeconds: 4, goodputMbit: near(12) });
  expect(clients[0]).not.toHaveProperty('deliveredShare');
  expect(series[0]).not.toHaveProperty('offeredMbit');
  expect(accessPoints['isp-a']).not.toHaveProperty('offeredMbit');
});

test('a load that is too short to be measured is refused', () => {
  const samples = record.samples.slice(0, 2);
  expect(() => figuresOf({ ...record, samples })).toThrow('too short to be measured');
});

function near(value: number): number {
  return expect.closeTo(value, 6) as number;
}
