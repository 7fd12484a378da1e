import { addRate, formatBothWays, formatRate, NO_RATE, unitOf, type Rate } from './rate.js';

/** What a path carries and can carry; plain data, as `status --json` prints it. */
export interface PathLoad {
  readonly name: string;
  /** Of our sessions, all subflows together, smoothed over some seconds, bit/s. */
  readonly carried: Rate;
  /** As the config says, or where it does not as learnt, bit/s; absent: not known. */
  readonly capacity?: Rate;
  /** `capacity` was learnt. */
  readonly isLearnt: boolean;
  /** Of others whom we do not see: what was missing for us when its queue last grew, bit/s. */
  readonly foreign: Rate;
  /** Its queue grows: round-trip times are well above their least, or segments are lost. */
  readonly isCongested: boolean;
}

/** How full a path is, in the direction where it is fuller; 1 is full. Undefined where its capacity is not known. */
export function fullness({ carried, foreign, capacity }: PathLoad, more: Rate = NO_RATE): number | undefined {
  if (!capacity) return undefined;
  const load = addRate(addRate(carried, foreign), more);
  return Math.max(load.down / capacity.down, load.up / capacity.up);
}

/** `84 %` */
export function formatPercent(full: number): string {
  return `${(full * 100).toFixed(0)} %`;
}

/** What a path carries against what it can. */
export function formatLoad(load: PathLoad): string {
  const { carried, capacity, isLearnt, foreign, isCongested } = load;
  const full = fullness(load);
  const state = isCongested ? ', congested' : '';
  if (!capacity || full === undefined)
    return `carries ${formatRate(carried)}, capacity not known yet${state}`;
  const [unit, each] = unitOf(Math.max(capacity.down, capacity.up));
  const learnt = isLearnt ? ' (learnt)' : '';
  const others = foreign.down + foreign.up > 0 ? `, others and headers ${formatBothWays(foreign, each)}` : '';
  return `carries ${formatBothWays(carried, each)}${others} of ${formatBothWays(capacity, each)} ${unit}${learnt}, ${formatPercent(full)} full${state}`;
}
