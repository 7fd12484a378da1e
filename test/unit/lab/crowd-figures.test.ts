import { expect, test } from 'vitest';
import { arrangements } from '../../lab/crowd/arrangement.js';
import { figuresOf, type RunRecord } from '../../lab/crowd/figures.js';
import type { InterfaceSample } from '../../lab/crowd/interface-watch.js';
import type { Probe } from '../../lab/crowd/prober.js';
import type { Sample } from '../../lab/crowd/sampler.js';

const beganMs = 1_000_000;
const megabyte = 1_000_000;

/**
 * A sample after this time. The interfaces count a tenth more than the tunnels, as for headers.
 * @param a1, b1 the megabytes of each client so far, on isp-a and on isp-b.
 * @param drops packets that isp-a has dropped so far.
 */
function sample(
  seconds: number,
  a1: readonly [number, number],
  b1: readonly [number, number],
  drops = 0,
): Sample {
  const client = ([onA, onB]: readonly [number, number]) => ({
    tunnelBytes: (onA + onB) * megabyte,
    pathBytes: { 'isp-a': onA * megabyte, 'isp-b': onB * megabyte },
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

/** The probes of one client: one each 100 ms, with this round-trip time. */
const probes = (rttMs: number): Probe[] =>
  Array.from({ length: 40 }, (_, index) => ({ sentMs: beganMs + index * 100, rttMs }));

/** An interface sample after this time, with what a1 and b1 received on each path so far: megabytes and packets. */
function interfaceSample(
  seconds: number,
  a1: readonly [number, number],
  b1: readonly [number, number],
): InterfaceSample {
  const client = (counts: readonly [number, number]) =>
    Object.fromEntries(
      ['isp-a', 'isp-b'].map((path, index) => {
        const count = counts[index] ?? 0;
        return [path, { bytes: count * megabyte, packets: count }];
      }),
    );
  return { timeMs: beganMs + seconds * 1000, clients: { a1: client(a1), b1: client(b1) } };
}

const bursts = [{ fromMs: 0, toMs: 4000 }];
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
      {
        sentBytes: 8 * megabyte,
        receivedBytes: 6 * megabyte,
        seconds: 4,
        bursts,
        delayMs: { median: 3, p95: 9 },
      },
      {
        sentBytes: 4 * megabyte,
        receivedBytes: 4 * megabyte,
        seconds: 4,
        bursts,
        delayMs: { median: 1, p95: 2 },
      },
    ],
  },
  samples: [
    sample(-1, [9, 9], [9, 9], 4),
    sample(0, [10, 10], [10, 10], 5),
    sample(1, [11, 10], [10, 11], 7),
    // a1 has moved, and then receives nothing for a while
    sample(2, [11, 12], [10, 12], 7),
    sample(3, [11, 12], [10, 13], 7),
    sample(4, [11, 15], [10, 14], 7),
    sample(9, [99, 99], [99, 99], 99),
  ],
  interfaces: [
    interfaceSample(0, [10, 10], [10, 10]),
    interfaceSample(0.5, [11, 10], [10, 11]),
    interfaceSample(1, [11, 11], [10, 12]),
    interfaceSample(2, [12, 11], [10, 13]),
    interfaceSample(3, [13, 11], [10, 14]),
    interfaceSample(4, [14, 11], [10, 15]),
  ],
  probes: [probes(20), probes(5)],
  latenessMs: 1,
  switches: [
    { event: 'switch', committedAt: beganMs - 5, commonName: 'a1', from: null, to: 'isp-a' },
    { event: 'switch', committedAt: beganMs + 1000, commonName: 'a1', from: 'isp-a', to: 'isp-b' },
  ],
};

test('the offered load of a path is what its clients sent, with the overhead of the tunnel', () => {
  const { overhead, series, accessPoints } = figuresOf(record);
  expect(overhead).toBeCloseTo(1.1);
  const of = (path: string) => series.filter(({ accessPoint }) => accessPoint === path);
  // 16 Mbit/s for a1 and 8 for b1, and a tenth more with headers; a1 counts even while it receives nothing
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

test('clients are measured by what they received in time, and moves before the load do not count', () => {
  const { clients, moves, jain, placements } = figuresOf(record);
  expect(clients).toEqual([
    {
      name: 'a1',
      isOurs: true,
      goodputMbit: near(12),
      deliveredShare: near(0.75),
      delayMs: { median: 3, p95: 9 },
      experience: { rttMs: { median: 20, p95: 20, p99: 20 }, longestGapMs: near(100), unanswered: 0 },
      carriedBy: { 'isp-a': near(1 / 6), 'isp-b': near(5 / 6) },
    },
    {
      name: 'b1',
      isOurs: false,
      goodputMbit: near(8),
      deliveredShare: 1,
      delayMs: { median: 1, p95: 2 },
      experience: { rttMs: { median: 5, p95: 5, p99: 5 }, longestGapMs: near(100), unanswered: 0 },
      carriedBy: { 'isp-a': 0, 'isp-b': 1 },
    },
  ]);
  expect(jain).toBeCloseTo(20 ** 2 / (2 * (12 ** 2 + 8 ** 2)));
  expect(moves).toEqual([{ seconds: 1, client: 'a1', from: 'isp-a', to: 'isp-b' }]);
  const ofA1 = placements.filter(({ client }) => client === 'a1');
  expect(ofA1.map(({ carriedBy }) => carriedBy?.['isp-b'])).toEqual([0, 1, undefined, 1]);
});

test('relief is the time from the first overload of an access point until both were below their capacity for a second', () => {
  // a1 is sent 17.6 Mbit/s and b1 8.8: 26.4 is more than isp-b carries while a1 is there
  expect(figuresOf(record).relief).toEqual({
    overloadedAt: near(1),
    relievedAfter: near(1),
    overloadedFor: near(0.5),
    avoidable: [near(0.5)],
  });
});

test('a client that is sent nothing loads no access point, and an overload of both cannot be avoided', () => {
  const resultOf = (sentBytes: number, until: number): RunRecord['result'] => ({
    ...record.result,
    clients: record.result.clients.map((one) => ({
      ...one,
      sentBytes,
      bursts: [{ fromMs: 0, toMs: until }],
    })),
  });
  // each is sent 17.6 Mbit/s; b1 is on isp-b, and a1 comes there after a second
  const short = figuresOf({ ...record, result: resultOf(2 * megabyte, 1000) });
  expect(short.relief).toBeUndefined();
  expect(short.series.map(({ offeredMbit }) => offeredMbit)).toEqual(
    [17.6, 17.6, 0, 0, 0, 0, 0, 0].map(near),
  );
  // each is sent 26.4 Mbit/s, which is more than both access points can carry
  expect(figuresOf({ ...record, result: resultOf(12 * megabyte, 4000) }).relief?.avoidable).toEqual([]);
});

test('a path counts for the radio-seconds while it carried a packet in the last second', () => {
  // a1: isp-a for 4 s, isp-b from 0.5 s, when it was seen last without a packet, to 2 s
  expect(figuresOf(record).radioSeconds).toBeCloseTo(4 + 1.5);
});

test('downloads are measured by the time to their completion, and have no offered load', () => {
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
