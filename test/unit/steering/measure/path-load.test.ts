import { describe, expect, test } from 'vitest';

import type { PathConfig } from '../../../../src/config/config.js';
import { NO_METER, type Meter, type SubflowMeter } from '../../../../src/steering/measure/meter.js';
import { measurePaths, pathLoads, type PathMeters } from '../../../../src/steering/measure/path-load.js';
import { fullness, type PathLoad } from '../../../../src/model/path-load.js';

const MBIT = 1e6;

/** A subflow on wifi that carries so many Mbit/s down, with a round-trip time this many ms above its lowest one. */
function subflow(down: number, late: number, more: Partial<SubflowMeter> = {}): SubflowMeter {
  const rate = { down: down * MBIT, up: (down * MBIT) / 50 };
  const rtts = { leastRtt: 10_000, rtt: 10_000 + late * 1000 };
  return { path: 'wifi', rate, last: rate, ...rtts, loss: 0, acknowledgedAt: 0, ...more };
}

function load(
  looks: readonly (readonly SubflowMeter[])[],
  { capacity }: Pick<PathConfig, 'capacity'> = {},
): PathLoad {
  const paths: PathConfig[] = [{ name: 'wifi', prefixes: [], maxLoss: 0.1, ...(capacity && { capacity }) }];
  let meters: PathMeters = new Map();
  let before: Meter = NO_METER;
  for (const [index, look] of looks.entries()) {
    const next: Meter = {
      ...NO_METER,
      at: index * 1000,
      connections: new Map([['alice', { token: 1, subflows: [], meters: look }]]),
    };
    meters = measurePaths(meters, paths, before, next);
    before = next;
  }
  const [only] = pathLoads(meters, paths);
  if (!only) throw new Error('no load');
  return only;
}

const times = (count: number, ...look: readonly SubflowMeter[]) => Array.from({ length: count }, () => look);
const capacity = { down: 20 * MBIT, up: 20 * MBIT };

describe('congestion', () => {
  test('shows if most of what a path carries is late', () => {
    expect(load(times(4, subflow(5, 40), subflow(4, 0)))).toMatchObject({ isCongested: true });
    expect(load(times(4, subflow(5, 0), subflow(4, 40)))).toMatchObject({ isCongested: false });
  });

  test('does not show for delayed ACKs, a little jitter or very low rates', () => {
    expect(load(times(4, subflow(5, 12)))).toMatchObject({ isCongested: false });
    expect(load(times(4, subflow(0.01, 200)))).toMatchObject({ isCongested: false });
    expect(load(times(4, subflow(5, 40, { leastRtt: 100_000, rtt: 140_000 })))).toMatchObject({
      isCongested: false,
    });
  });

  test('shows on a path that drops packets instead of queueing them', () => {
    expect(load(times(4, subflow(5, 0, { loss: 0.05 })))).toMatchObject({ isCongested: true });
  });

  test('begins and ends after a delay', () => {
    const [late, soon] = [subflow(5, 40), subflow(5, 0)];
    expect(load([[soon], [late]])).toMatchObject({ isCongested: true });
    expect(load([...times(4, late), [soon]])).toMatchObject({ isCongested: true });
    expect(load([...times(4, late), ...times(2, soon)])).toMatchObject({ isCongested: false });
  });
});

describe('capacity', () => {
  test('is learnt while the queue grows', () => {
    const learnt = load(times(30, subflow(12, 40)));
    expect(learnt).toMatchObject({ isLearnt: true, capacity: { down: 12 * MBIT, up: 12 * MBIT } });
    expect(fullness(learnt)).toBeCloseTo(1);
    expect(load(times(6, subflow(12, 0)))).not.toHaveProperty('capacity');
  });

  test('from the config: the missing part is foreign traffic', () => {
    const told = load(times(30, subflow(13, 40)), { capacity });
    expect(told).toMatchObject({ isLearnt: false, capacity, foreign: { down: 7 * MBIT, up: 0 } });
    expect(fullness(told)).toBeCloseTo(1);
    expect(load(times(6, subflow(13, 0)), { capacity }).foreign).toEqual({ down: 0, up: 0 });
  });

  test('from the config, but too small: there is no foreign traffic', () => {
    expect(load(times(6, subflow(30, 40)), { capacity }).foreign).toEqual({ down: 0, up: 0 });
  });

  test('is learnt in the direction that is fuller', () => {
    const rate = { down: 2 * MBIT, up: 4 * MBIT };
    const adsl = { down: 50 * MBIT, up: 5 * MBIT };
    const uploads = load(times(6, subflow(2, 40, { rate, last: rate })), { capacity: adsl });
    expect(uploads.foreign).toEqual({ down: 0, up: 1 * MBIT });
  });

  test('is not learnt while TCP connections start', () => {
    const beginning = [subflow(0.5, 0), subflow(4, 40), subflow(6, 40), subflow(8, 40)].map((one) => [one]);
    expect(load(beginning, { capacity })).toMatchObject({ isCongested: true, foreign: { down: 0 } });
    const { foreign } = load([...beginning, ...times(5, subflow(19, 40))], { capacity });
    expect(foreign.down / MBIT).toBeCloseTo(1);
  });

  test('is not learnt from what a path carries while sessions leave it', () => {
    const looks = [...times(6, subflow(19, 40)), [subflow(10, 40)], [subflow(5, 0)], [subflow(5, 0)]];
    const { foreign } = load(looks, { capacity });
    // a single measurement of 10 is not enough
    expect(foreign.down / MBIT).toBeLessThan(5);
  });

  test('is not learnt in a round in which sessions leave, although the queue is still there', () => {
    const looks = [...times(4, subflow(13, 40)), [subflow(8, 40)], [subflow(8, 0)]];
    expect(load(looks, { capacity }).foreign.down / MBIT).toBeCloseTo(7);
  });

  test('fullness includes the rate of one more session', () => {
    const told = load(times(30, subflow(10, 0)), { capacity });
    expect(fullness(told, { down: 5 * MBIT, up: 0 })).toBeCloseTo(0.75);
    expect(fullness(load(times(3, subflow(10, 0))))).toBeUndefined();
  });
});
