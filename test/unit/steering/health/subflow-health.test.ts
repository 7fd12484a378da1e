import { describe, expect, test } from 'vitest';
import type { Health } from '../../../../src/model/health.js';
import type { TcpCounters } from '../../../../src/model/tcp-counters.js';
import {
  CARRIES_FOR_MS,
  stepSubflowHealth,
  type HealthLimits,
  type SubflowHealth,
} from '../../../../src/steering/health/subflow-health.js';
import { subflow, WIFI } from '../../../support/plans.js';

const LIMITS: HealthLimits = { maxLoss: 0.1 };

/** The state after these observations, each this many milliseconds after the one before. */
function after(
  looks: readonly (readonly [ms: number, counters: TcpCounters])[],
  limits = LIMITS,
): SubflowHealth | undefined {
  let state: SubflowHealth | undefined;
  let now = 1000;
  for (const [ms, counters] of looks) {
    now += ms;
    state = stepSubflowHealth(state, { ...subflow(`${WIFI} active`, 1), ...counters }, limits, ms, now);
  }
  return state;
}

const healthAfter = (...looks: Parameters<typeof after>[0]): Health | undefined => after(looks)?.health;

describe('a subflow', () => {
  test('without counters is idle', () => {
    expect(healthAfter([0, {}], [1000, {}])).toBe('idle');
  });

  test('carries while data is acknowledged, or while data comes', () => {
    expect(healthAfter([0, { bytesAcked: 5 }], [250, { bytesAcked: 6 }])).toBe('carries');
    expect(healthAfter([0, { bytesReceived: 5 }], [250, { bytesReceived: 6 }])).toBe('carries');
  });

  test('is idle two seconds after it carried something', () => {
    const carried = [[0, { bytesAcked: 5 }] as const, [250, { bytesAcked: 6 }] as const];
    expect(healthAfter(...carried, [CARRIES_FOR_MS, { bytesAcked: 6 }])).toBe('carries');
    expect(healthAfter(...carried, [CARRIES_FOR_MS + 1, { bytesAcked: 6 }])).toBe('idle');
  });

  test('is idle if it was busy before the first observation, until it carries something', () => {
    expect(healthAfter([0, { bytesAcked: 1e9, bytesReceived: 1e9 }])).toBe('idle');
  });
});

describe('a dead subflow', () => {
  const rtt = 30_000;
  const waiting = (backoff: number, acked = 10): TcpCounters => ({
    bytesAcked: acked,
    unacked: 3,
    backoff,
    rtt,
  });

  test('is one that waits for an acknowledgement after the timer expired', () => {
    expect(healthAfter([0, waiting(0)], [459, waiting(1)])).not.toBe('dead');
    expect(healthAfter([0, waiting(0)], [460, waiting(1)])).toBe('dead');
  });

  test('is found earlier if the timer expired twice', () => {
    expect(healthAfter([0, waiting(0)], [199, waiting(2)])).not.toBe('dead');
    expect(healthAfter([0, waiting(0)], [200, waiting(2)])).toBe('dead');
  });

  test('is not one that only waits: its timer has not expired', () => {
    expect(healthAfter([0, waiting(0)], [5000, waiting(0)])).toBe('idle');
  });

  test('is not one with a long queue, which keeps acknowledging', () => {
    const looks = [1, 2, 3, 4, 5].map((n) => [400, waiting(2, n)] as const);
    expect(healthAfter(...looks)).toBe('carries');
  });

  test('is not one whose data was acknowledged', () => {
    expect(healthAfter([0, waiting(2)], [9000, { bytesAcked: 10, unacked: 0, backoff: 2 }])).toBe('idle');
  });

  test('stays dead until something is acknowledged, also if the kernel counts from 0 again', () => {
    const dead = [[0, waiting(0)] as const, [1000, waiting(2)] as const];
    expect(healthAfter(...dead, [1000, waiting(0)])).toBe('dead');
    expect(healthAfter(...dead, [1000, waiting(0, 11)])).toBe('carries');
    expect(healthAfter(...dead, [1000, { bytesAcked: 10, unacked: 0 }])).toBe('idle');
  });

  test('says since when nothing was acknowledged', () => {
    expect(after([[0, waiting(0)], [500, waiting(0, 11)], [1000, waiting(2, 11)]])?.acknowledgedAt).toBe(1500); // prettier-ignore
  });
});

describe('a lossy subflow', () => {
  const sent = (segments: number, retransmitted: number): TcpCounters => ({
    bytesAcked: segments * 1400,
    retransmitted,
  });
  const first = [0, sent(0, 0)] as const;
  /** Loses 13 % of its segments for two seconds and more. */
  const lossy = [first, [250, sent(100, 15)] as const, [2000, sent(200, 30)] as const];

  test('loses more than the limit of its path for two seconds', () => {
    expect(healthAfter(first, [250, sent(100, 15)], [1999, sent(200, 30)])).toBe('carries');
    expect(healthAfter(...lossy)).toBe('lossy');
    expect(healthAfter(first, [250, sent(100, 9)], [2000, sent(200, 18)])).toBe('carries');
  });

  test('is not one that has lost a burst', () => {
    expect(healthAfter(first, [250, sent(100, 30)], [1000, sent(1000, 30)], [2000, sent(1100, 60)])).toBe('carries'); // prettier-ignore
  });

  test('is not one whose queue overflows: that is congestion', () => {
    const queued = (segments: number, retransmitted: number, rtt: number) =>
      [1000, { ...sent(segments, retransmitted), rtt }] as const;
    const start = [0, { ...sent(0, 0), rtt: 10_000 }] as const;
    const grows = [queued(100, 20, 60_000), queued(200, 40, 60_000), queued(300, 60, 60_000)] as const;
    expect(healthAfter(start, ...grows, queued(400, 80, 60_000))).toBe('carries');
    // nor when the queue has gone
    expect(healthAfter(start, ...grows, queued(400, 80, 11_000), queued(500, 80, 11_000))).toBe('carries');
  });

  test('is not one that has sent only a few segments', () => {
    expect(healthAfter(first, [250, sent(5, 5)], [2000, sent(10, 10)])).toBe('carries');
  });

  test('is one until its loss is clearly below the limit', () => {
    expect(healthAfter(...lossy, [250, sent(250, 30)])).toBe('lossy');
    expect(healthAfter(...lossy, [250, sent(800, 30)])).toBe('carries');
  });

  test('forgets its loss in some seconds', () => {
    expect(healthAfter(...lossy, [20_000, sent(250, 30)])).toBe('carries');
  });

  test('is also one that is slower than the limit of its path', () => {
    const slow = (bytesAcked: number): TcpCounters => ({ bytesAcked, rtt: 301_000 });
    const looks = [[0, slow(0)] as const, [2000, slow(1)] as const];
    expect(after(looks, { maxLoss: 0.1, maxDelay: 300 })?.health).toBe('lossy');
    expect(after(looks, { maxLoss: 0.1, maxDelay: 302 })?.health).toBe('carries');
  });
});
