/** The least, middle and greatest value of several rounds. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** @throws {Error} if there is no value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new Error('no round was measured');
  return { min, median: percentile(sorted, 0.5), max };
}

/** @param part 0 to 1. @returns the value of the sorted values below which this part of them is; NaN if there is none. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.round(part * (sorted.length - 1))] ?? NaN;
}

/** Runs `count` repetitions. @returns the nanoseconds that they took. */
export type Contestant = (count: number) => number | Promise<number>;

export interface RoundOptions {
  readonly rounds: number;
  /** How long each contestant should run in each round, milliseconds. */
  readonly roundMs: number;
  /** How long each contestant runs before, milliseconds, so that V8 optimises it as in a daemon that runs for long. */
  readonly warmMs: number;
}

/**
 * Lets all contestants run in turns, round by round, so that other load on the machine affects all of them.
 * @returns for each contestant, the nanoseconds of one repetition in each round.
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
    // The order changes, so that no contestant always runs after the same one, with the caches that it left.
    for (const turn of names.keys()) {
      const name = names[(turn + round) % names.length] as Name;
      const count = counts.get(name) ?? 1;
      times[name].push((await contestants[name](count)) / count);
    }
  }
  return times;
}

/** @returns for each round, the quotient of the two values. */
export function ratios(ones: readonly number[], others: readonly number[]): number[] {
  return ones.map((one, round) => one / (others[round] ?? NaN));
}

/** @returns how many repetitions take about `roundMs`. */
async function calibrate(contestant: Contestant, roundMs: number): Promise<number> {
  for (let count = 1; ;) {
    const ms = (await contestant(count)) / 1e6;
    if (ms >= roundMs / 2) return Math.max(1, Math.round((count * roundMs) / ms));
    count = Math.min(count * 10, Math.max(count + 1, Math.ceil((count * roundMs) / Math.max(ms, 1e-3))));
  }
}

/** @returns the nanoseconds that `work` takes. */
export async function timed(work: () => Promise<void>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start);
}
