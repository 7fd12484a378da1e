import { describe, expect, test } from 'vitest';
import { experienceOf } from '../../lab/crowd/experience.js';
import { goalResults } from '../../lab/crowd/goals.js';
import { parsePaths } from '../../lab/crowd/interface-watch.js';
import type { Probe } from '../../lab/crowd/prober.js';
import type { ClientReport, RunReport } from '../../lab/crowd/report.js';

const probe = (sentMs: number, rttMs?: number): Probe => ({ sentMs, rttMs });

describe('the experience of a client', () => {
  test('a probe without an answer counts until the next answer came', () => {
    const probes = [probe(0, 10), probe(100), probe(200), probe(300, 50), probe(400, 10)];
    expect(experienceOf(probes, 0, 500)).toEqual({
      // 10, 10, 50, 150 and 250
      rttMs: { median: 50, p95: expect.closeTo(230) as number, p99: expect.closeTo(246) as number },
      longestGapMs: 340,
      unanswered: 0.4,
    });
  });

  test('without any answer the gap is the whole load', () => {
    const { rttMs, longestGapMs, unanswered } = experienceOf([probe(-100, 5), probe(0), probe(100)], 0, 200);
    expect([rttMs.median, longestGapMs, unanswered]).toEqual([150, 200, 1]);
  });

  test('a load without a probe is refused', () => {
    expect(() => experienceOf([probe(-1, 5)], 0, 200)).toThrow('no probe was sent during the load');
  });
});

test('the counters of paths are read from /proc/net/dev', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs',
    '    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0',
    ' isp-a:    5000      40    0    0    0     0          0         0     2000      30    0    0    0     0       0          0',
  ].join('\n');
  expect(parsePaths(text)).toEqual({ 'isp-a': { bytes: 5000, packets: 70 } });
});

test('goals compare (d) with (b) of the same experiment, and say by how much they were missed', () => {
  const client = (isOurs: boolean, p99: number) =>
    ({
      isOurs,
      deliveredShare: 0.99,
      experience: { rttMs: { median: 1, p95: 2, p99 }, longestGapMs: 1, unanswered: 0 },
    }) as ClientReport;
  const run = (arrangement: 'b' | 'd', p99: number, radioSeconds: number) =>
    ({
      load: 'constant',
      arrangement,
      radioSeconds,
      clients: [client(true, 9), client(false, p99)],
      relief: { overloadedAt: 1, relievedAfter: 1.5, overloadedFor: 1.5, avoidable: [] },
    }) as unknown as RunReport;
  const results = goalResults({
    runs: [run('b', 100, 200), run('d', 60, 110)],
    capacities: 'told',
  });
  expect(results.map(({ goal, isReached, margin }) => [goal, isReached, margin])).toEqual([
    ['p99 of ISP B’s round-trip time at most half of (b)’s', false, 'missed by 10 ms'],
    ['delivered share of ISP A’s clients at least 99.5 %', false, 'missed by 0.50 %'],
    ['delivered share of ISP B’s clients at least 99.5 %', false, 'missed by 0.50 %'],
    [
      'both access points below their capacity after one was overloaded: at most 2 s, or 4 s if capacities are learnt',
      true,
      'reached by 0.5 s',
    ],
    ['radio-seconds at most 60 % of (b)’s', true, 'reached by 10'],
  ]);
  expect(goalResults({ runs: [run('b', 100, 200)], capacities: 'told' })).toEqual([]);
});
