/** The least, the middle and the greatest of several rounds. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** @throws {Error} if there is nothing. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new Error('no round was measured');
  return { min, median: percentile(sorted, 0.5), max };
}

/** The value below which this part of them lies, 0 to 1; of sorted values. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.round(part * (sorted.length - 1))] ?? NaN;
}

/** Nanoseconds for `count` repetitions. */
export type Contestant = (count: number) => number | Promise<number>;

export interface RoundOptions {
  readonly rounds: number;
  /** How long each contestant should run in each round, milliseconds. */
  readonly roundMs: number;
  /** How long each runs before that, milliseconds: V8 optimises what runs often, as it does in a daemon. */
  readonly warmMs: number;
}

/**
 * Lets all run in turn, round by round, so that whatever else the machine does meets all of them.
 * @returns by contestant, nanoseconds for one repetition in each round.
 */
export async function takeTurns<Name extends string>(
  contestants: Readonly<Record<Name, Contestant>>,
  { rounds, roundMs, warmMs }: RoundOptions,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[];
  const counts = new Map<Name, number>();
  for (const name of names) {
    const warmAt = performance.now() + warmMs;
    while (performance.now() < warmAt) await contestants[name](1);
    counts.set(name, await calibrate(contestants[name], roundMs));
  }
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    // Nobody is always the one whose caches the one before has emptied.
    for (const turn of names.keys()) {
      const name = names[(turn + round) % names.length] as Name;
      const count = counts.get(name) ?? 1;
      times[name].push((await contestants[name](count)) / count);
    }
  }
  return times;
}

/** @returns of each round, how many times the one took of what the other took. */
export function ratios(ones: readonly number[], others: readonly number[]): number[] {
  return ones.map((one, round) => one / (others[round] ?? NaN));
}

/** How many repetitions take about that long. */
async function calibrate(contestant: Contestant, roundMs: number): Promise<number> {
  for (let count = 1; ;) {
    const ms = (await contestant(count)) / 1e6;
    if (ms >= roundMs / 2) return Math.max(1, Math.round((count * roundMs) / ms));
    count = Math.min(count * 10, Math.max(count + 1, Math.ceil((count * roundMs) / Math.max(ms, 1e-3))));
  }
}

/** Nanoseconds that this takes. */
export async function timed(work: () => Promise<void>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start);
}
