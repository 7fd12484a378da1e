import type { Burst } from './load.js';

/** For how many milliseconds a burst lasted between two moments, which are in milliseconds since the load began. */
export function burstMs(bursts: readonly Burst[], fromMs: number, toMs: number): number {
  return bursts.reduce(
    (sum, burst) => sum + Math.max(0, Math.min(burst.toMs, toMs) - Math.max(burst.fromMs, fromMs)),
    0,
  );
}

/** The mean length of a burst, milliseconds. */
const MEAN_BURST_MS = 8000;
/** The shape of the Pareto distribution of the lengths: few bursts are long, and these carry most of the bytes. */
const SHAPE = 1.5;
/** The longest burst, milliseconds. */
const LONGEST_BURST_MS = 60_000;
/** The mean time from the end of a burst to the next one, milliseconds. */
const MEAN_PAUSE_MS = 8000;

/**
 * Bursts of a source that is on and off: the lengths have a heavy tail (Pareto), and a pause ends at a random moment that
 * does not depend on how long it lasted (exponential), so that bursts arrive as in a Poisson process.
 * @param durationMs all end by then.
 * @param random gives numbers from 0 to below 1.
 */
export function randomBursts(durationMs: number, random: () => number): Burst[] {
  const bursts: Burst[] = [];
  const shortest = (MEAN_BURST_MS * (SHAPE - 1)) / SHAPE;
  for (let fromMs = pause(random); fromMs < durationMs;) {
    const length = Math.min(LONGEST_BURST_MS, shortest / (1 - random()) ** (1 / SHAPE));
    const toMs = Math.min(durationMs, fromMs + length);
    bursts.push({ fromMs, toMs });
    fromMs = toMs + pause(random);
  }
  return bursts;
}

function pause(random: () => number): number {
  return -Math.log(1 - random()) * MEAN_PAUSE_MS;
}
