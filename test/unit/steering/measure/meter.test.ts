import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { Subflow } from '../../../../src/model/subflow.js';
import {
  measureSessions,
  metersOf,
  NO_METER,
  rateOf,
  type Meter,
} from '../../../../src/steering/measure/meter.js';
import type { PlacedSession } from '../../../../src/steering/placed-session.js';
import { standby } from '../../../support/config.js';

const LOCAL = { address: '192.0.2.1', port: 1194 };
const REAL = { address: '10.0.0.1', port: 40_000 };

type Counted = Partial<Pick<Subflow, 'bytesAcked' | 'bytesReceived' | 'retransmitted' | 'rtt' | 'minRtt'>>;

/** Alice with one subflow on wifi. */
function alice(counted: Counted, { port = 40_000, token = 1, throughTunnel = false } = {}): PlacedSession {
  const remote = { ...REAL, port };
  const subflow: Subflow = {
    local: LOCAL,
    remote,
    ours: 'active',
    peers: 'active',
    mpPrioPending: false,
    ...counted,
  };
  return {
    session: { server: 'a', pid: 1, commonName: 'alice', real: REAL, virtual: [] },
    rule: { section: '[default]', ...standby([]) },
    connection: { pid: 1, remote: REAL, local: LOCAL, token, subflows: [subflow] },
    placed: [{ subflow, path: throughTunnel ? undefined : 'wifi', throughTunnel }],
  };
}

const bytes = (bytesAcked: number, bytesReceived = 0): Counted => ({ bytesAcked, bytesReceived });

/** The rate of alice after these observations, each this many milliseconds after the one before. */
function rateAfter(...looks: readonly (readonly [time: number, look: PlacedSession])[]) {
  let now = 0;
  let state: Meter = NO_METER;
  for (const [time, look] of looks) {
    now += time;
    state = measureSessions(state, [look], now);
  }
  const last = looks.at(-1)?.[1];
  return last ? metersOf(state, last).map(({ rate }) => rate) : [];
}

describe('rates', () => {
  test('are the increase of the counters, in bit/s', () => {
    expect(rateAfter([0, alice(bytes(1000, 500))])).toEqual([undefined]);
    expect(rateAfter([0, alice(bytes(1000, 500))], [1000, alice(bytes(2000, 750))])).toEqual([
      { down: 8000, up: 2000 },
    ]);
  });

  test('show two thirds of a change after three seconds', () => {
    const [rate] = rateAfter(
      [0, alice(bytes(0))],
      [1000, alice(bytes(0))],
      ...[1, 2, 3].map((second) => [1000, alice(bytes(second * 1e6))] as const),
    );
    expect(rate?.down).toBeCloseTo(8e6 * (1 - Math.exp(-1)));
  });

  test('are not measured again within 200 ms', () => {
    const first = measureSessions(NO_METER, [alice(bytes(0))], 1000);
    expect(measureSessions(first, [alice(bytes(9e9))], 1199)).toBe(first);
    expect(measureSessions(first, [alice(bytes(1e6))], 2000)).not.toBe(first);
  });

  test.each<[string, PlacedSession]>([
    ['counters that decreased', alice(bytes(10))],
    ['counters that wrapped', alice(bytes(2 ** 32 - 10 - 2 ** 32 + 20, 5000))],
    ['another connection between the same ends', alice(bytes(5000), { token: 2 })],
    ['another port', alice(bytes(5000), { port: 40_001 })],
    ['a backend that no longer reports counters', alice({})],
  ])('are unknown after %s, and then measured again', (_what, next) => {
    const before = [
      [0, alice(bytes(1000))],
      [1000, alice(bytes(2000))],
    ] as const;
    expect(rateAfter(...before, [1000, next])).toEqual([undefined]);
    const [subflow] = next.placed;
    if (subflow?.subflow.bytesAcked === undefined) return;
    expect(rateAfter(...before, [1000, next], [1000, next])).toEqual([{ down: 0, up: 0 }]);
  });

  test('are unknown after the clock went back, and then measured again', () => {
    let state = measureSessions(NO_METER, [alice(bytes(0))], 10_000);
    state = measureSessions(state, [alice(bytes(1000))], 9000);
    expect(metersOf(state, alice({}))[0]).toHaveProperty('rate', undefined);
    state = measureSessions(state, [alice(bytes(2000))], 10_000);
    expect(rateOf(metersOf(state, alice({})))).toEqual({ down: 8000, up: 0 });
    expect([...state.sessions.values()]).toEqual([{ down: 8000, up: 0 }]);
  });

  test('of a session stay the same while it moves to another subflow, and end when it stops', () => {
    const rates: (number | undefined)[] = [];
    let state: Meter = NO_METER;
    for (let second = 0; second < 20; second++) {
      const [wifi, lte] = [Math.min(second, 8) * 1e6, Math.min(Math.max(0, second - 8), 8) * 1e6];
      const [one, other] = [alice(bytes(wifi)), alice(bytes(lte), { port: 40_001 })];
      const both = { ...one, placed: [...one.placed, ...other.placed] };
      state = measureSessions(state, [both], second * 1000);
      rates.push([...state.sessions.values()][0]?.down);
    }
    expect(rates[0]).toBeUndefined();
    for (const rate of rates.slice(1, 17)) expect(rate).toBeCloseTo(8e6);
    expect(rates[17]).toBeLessThan(1.2e6);
    expect(rates[19]).toBeLessThan(0.03e6);
  });

  test('do not include subflows through the tunnel itself', () => {
    const looks = [0, 1e6].map((count) => alice(bytes(count), { throughTunnel: true }));
    expect(rateAfter(...looks.map((look) => [1000, look] as const))).toEqual([]);
  });

  test('of a session that is gone are dropped', () => {
    const state = measureSessions(measureSessions(NO_METER, [alice(bytes(0))], 0), [], 1000);
    expect(state.connections.size).toBe(0);
  });

  test('are finite, 0 or more, and at most the largest step, for any counters at any times', () => {
    const look = fc.record({
      time: fc.integer({ min: -2000, max: 10_000 }),
      acked: fc.maxSafeNat(),
      received: fc.maxSafeNat(),
      rtt: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 20 }), (looks) => {
        let now = 0;
        let state: Meter = NO_METER;
        for (const { time, acked, received, rtt } of looks) {
          now += time;
          const one = alice({ ...bytes(acked, received), rtt });
          state = measureSessions(state, [one], now);
          for (const { rate, last, leastRtt, loss } of metersOf(state, one)) {
            for (const way of ['down', 'up'] as const) {
              const value = rate?.[way] ?? 0;
              expect(value >= 0 && value <= (Number.MAX_SAFE_INTEGER * 8000) / 200).toBe(true);
              expect((last?.[way] ?? 0) >= 0).toBe(true);
            }
            expect((leastRtt ?? 1) > 0 && (loss ?? 0) >= 0 && (loss ?? 0) <= 1).toBe(true);
          }
        }
      }),
    );
  });
});

describe('round-trip times', () => {
  const measured = (...looks: readonly Counted[]) => {
    let state: Meter = NO_METER;
    looks.forEach((look, index) => {
      state = measureSessions(state, [alice({ ...bytes(index), ...look })], index * 1000);
    });
    return metersOf(state, alice({}))[0];
  };

  test('have the lowest value of the kernel, or the lowest that was observed', () => {
    expect(measured({ rtt: 30_000 }, { rtt: 80_000 })?.leastRtt).toBeCloseTo(30_000, -2);
    expect(measured({ rtt: 30_000, minRtt: 4000 })).toMatchObject({ rtt: 30_000, leastRtt: 4000 });
    // not measured yet
    expect(measured({ rtt: 0, minRtt: 0xffffffff })).toMatchObject({ leastRtt: 0xffffffff });
    expect(measured({ rtt: 0 })).toHaveProperty('rtt', undefined);
  });

  test('are the lowest value again after ten seconds without an acknowledgement', () => {
    const idle = Array.from({ length: 12 }, () => ({ rtt: 80_000, ...bytes(0) }));
    expect(measured({ rtt: 5000 }, ...idle.slice(0, 5))?.rtt).toBe(80_000);
    expect(measured({ rtt: 5000, minRtt: 5000 }, ...idle)?.rtt).toBeLessThan(6000);
  });

  test('loss is the part of segments that were retransmitted', () => {
    const [before, after] = [{ retransmitted: 0 }, { retransmitted: 10, ...bytes(90 * 1400) }];
    expect(measured(before, after)?.loss).toBeCloseTo(0.1);
  });
});
