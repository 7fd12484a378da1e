import type { Spread } from './rounds.js';

/** What a ratio, or where there is none the absolute figure, should be: at most, or at least, this. */
export interface Goal {
  readonly is: 'at most' | 'at least';
  readonly value: number;
}

/** One line of the table: something of subflowd's beside something else, measured side by side. */
export interface Figure {
  readonly name: string;
  /** What it is measured against, or of what it is. */
  readonly against: string;
  /** Where: this machine, a guest, and on which memory. */
  readonly where: string;
  /** Absent where there is nothing to compare with. */
  readonly ratio?: Spread;
  /** Of what is no ratio. */
  readonly percentiles?: { readonly p50: number; readonly p99: number };
  /** Absent: only to show where the time goes. */
  readonly goal?: Goal;
  /** Absolute, in the unit, of subflowd and of the other. */
  readonly ours: Spread;
  readonly theirs?: Spread;
  readonly unit: Unit;
}

export type Unit = 'ns' | 'ms' | 'MiB' | '% of a core' | 'commands/s' | 'sessions';

/** One point of the plot: what a session costs where there are so many. */
export interface Growth {
  readonly series: string;
  readonly sessions: number;
  readonly nsPerSession: number;
}

/** What a benchmark gives. */
export interface Outcome {
  readonly figures: readonly Figure[];
  readonly growth?: readonly Growth[];
}

export function isReached({ ratio, ours, goal }: Figure): boolean | undefined {
  if (goal === undefined) return undefined;
  const { median } = ratio ?? ours;
  return goal.is === 'at most' ? median <= goal.value : median >= goal.value;
}
