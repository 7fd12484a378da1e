import { expect, test } from 'vitest';
import { burstMs, randomBursts } from '../../lab/crowd/bursts.js';
import { mean } from '../../lab/crowd/statistics.js';
import { generator, SEED } from '../../support/random.js';

test('bursts count only between two moments', () => {
  const bursts = [
    { fromMs: 100, toMs: 200 },
    { fromMs: 300, toMs: 600 },
  ];
  expect(burstMs(bursts, 0, 1000)).toBe(400);
  expect(burstMs(bursts, 150, 350)).toBe(100);
  expect(burstMs(bursts, 200, 300)).toBe(0);
});

test(`bursts last almost half of the time, do not overlap, and few of them are long (SEED=${SEED})`, () => {
  const durationMs = 50_000_000;
  const bursts = randomBursts(durationMs, generator(SEED));
  const share = burstMs(bursts, 0, durationMs) / durationMs;
  expect(share).toBeGreaterThan(0.4);
  expect(share).toBeLessThan(0.5);
  bursts.slice(1).forEach(({ fromMs }, index) => {
    expect(fromMs).toBeGreaterThan(bursts[index]?.toMs ?? NaN);
  });
  expect(bursts.at(-1)?.toMs).toBeLessThanOrEqual(durationMs);
  const lengths = bursts.map(({ fromMs, toMs }) => toMs - fromMs).sort((a, b) => a - b);
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(mean(lengths) * 0.75);
});
