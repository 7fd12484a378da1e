import type { Spread } from './rounds.js';

/** The wanted bound of a ratio, or of the absolute figure if there is no ratio. */
export interface Goal {
  readonly is: 'at most' | 'at least';
  readonly value: number;
}

/** One line of the table: subflowd beside something else, measured in turns. */
export interface Figure {
  readonly name: string;
  /** What it is compared with, or a description of the measurement. */
  readonly against: string;
  /** This machine or a guest, and the access to memory. */
  readonly where: string;
  /** Absent if there is nothing to compare with. */
  readonly ratio?: Spread;
  /** Percentiles of the absolute figure, instead of a ratio. */
  readonly percentiles?: { readonly p50: number; readonly p99: number };
  /** Absent if the figure only explains where the time goes. */
  readonly goal?: Goal;
  /** Absolute figures of subflowd and of the other, in the unit. */
  readonly ours: Spread;
  readonly theirs?: Spread;
  readonly unit: Unit;
}

export type Unit = 'ns' | 'ms' | 'MiB' | '% of a core' | 'commands/s' | 'sessions';

/** One point of the plot: what one session costs if the server has so many. */
export interface Growth {
  readonly series: string;
  /** The number of sessions of the server. */
  readonly sessions: number;
  readonly nsPerSession: number;
}

/** The result of a benchmark. */
export interface Outcome {
  readonly figures: readonly Figure[];
  readonly growth?: readonly Growth[];
}

/** Whether a figure reaches its goal; undefined if it has no goal. */
export function isReached({ ratio, ours, goal }: Figure): boolean | undefined {
  if (goal === undefined) return undefined;
  const { median } = ratio ?? ours;
  return goal.is === 'at most' ? median <= goal.value : median >= goal.value;
}
