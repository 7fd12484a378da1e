import type { Health } from './health.js';
import { addRate, formatBothWays, formatRate, NO_RATE, unitOf, type Rate } from './rate.js';

/** What a path carries, and what it can carry. Plain data, as `status --json` prints it. */
export interface PathLoad {
  readonly name: string;
  /** The rate of all our sessions' subflows on it together, averaged over some seconds, bit/s. */
  readonly carried: Rate;
  /** From the config, or learnt if the config does not say it, bit/s; absent: not known yet. */
  readonly capacity?: Rate;
  /** Whether `capacity` was learnt. */
  readonly isLearnt: boolean;
  /**
   * The rate of traffic that subflowd does not see, bit/s. It is inferred: the part of the capacity that our sessions did not
   * get when the queue last grew.
   */
  readonly foreign: Rate;
  /** Whether its queue grows: round-trip times are well above their lowest, or segments are lost. */
  readonly isCongested: boolean;
  /** What its subflows do; a dead path has no capacity. */
  readonly health: Health;
}

/**
 * How full a path is, in the direction where it is fuller; 1 is full. Undefined if its capacity is not known.
 * @param more added to its load, bit/s.
 */
export function fullness({ carried, foreign, capacity }: PathLoad, more: Rate = NO_RATE): number | undefined {
  if (!capacity) return undefined;
  const load = addRate(addRate(carried, foreign), more);
  return Math.max(load.down / capacity.down, load.up / capacity.up);
}

/** `84 %` */
export function formatPercent(full: number): string {
  return `${(full * 100).toFixed(0)} %`;
}

/** What a path carries, compared to what it can carry. */
export function formatLoad(load: PathLoad): string {
  const { carried, capacity, isLearnt, foreign, isCongested, health } = load;
  if (health === 'dead') return 'is dead: data waits there, and nothing of it is acknowledged';
  const full = fullness(load);
  const state = `${isCongested ? ', congested' : ''}${health === 'lossy' ? ', lossy' : ''}`;
  if (!capacity || full === undefined)
    return `carries ${formatRate(carried)}, capacity not known yet${state}`;
  const [unit, each] = unitOf(Math.max(capacity.down, capacity.up));
  const learnt = isLearnt ? ' (learnt)' : '';
  const others = foreign.down + foreign.up > 0 ? `, others and headers ${formatBothWays(foreign, each)}` : '';
  return `carries ${formatBothWays(carried, each)}${others} of ${formatBothWays(capacity, each)} ${unit}${learnt}, ${formatPercent(full)} full${state}`;
}
