import type { PathConfig } from '../../config/config.js';
import type { PathLoad } from '../../model/path-load.js';
import { addRate, mapRate, NO_RATE, type Rate } from '../../model/rate.js';
import { learnLimit, NO_LIMIT, type Limit } from './limit.js';
import { approach, type Meter, type SubflowMeter } from './meter.js';
import { showsQueue } from './queue.js';

/** What is kept of a path from one round to the next. */
export interface PathMeter {
  /** The total of our subflows, smoothed, bit/s. */
  readonly carried: Rate;
  /** The same in the last round, bit/s. */
  readonly last: Rate;
  /** Whether the last round showed a queue. */
  readonly isQueued: boolean;
  /** The fraction of about the last second in which there was a queue, 0 to 1. */
  readonly queued: number;
  readonly isCongested: boolean;
  /** For how long it has been congested without a break, milliseconds. */
  readonly congestedFor: number;
  /** Whether the last round showed what the path can carry. */
  readonly isFull: boolean;
  /** The limit of each direction. */
  readonly down: Limit;
  readonly up: Limit;
}

/** What is kept of all paths, by the path's name. */
export type PathMeters = ReadonlyMap<string, PathMeter>;

/** The fraction of retransmitted segments above which a path counts as full, even without a queue. */
const HIGH_LOSS = 0.02;
/** Bit/s acknowledged. Below this, the round-trip time depends on the timing of ACKs more than on a queue. */
const MIN_MEANINGFUL_RATE = 80_000;
/** The time constant of `queued`, milliseconds: while there is a queue, and while there is none. */
const [QUEUE_GROWS_MS, QUEUE_ENDS_MS] = [400, 1000];
/** The time constant of `carried`, milliseconds. A path carries many sessions, so its rate varies less than theirs. */
const CARRIED_SMOOTHING_MS = 1000;
/** Milliseconds of congestion after which the rate of a path shows what it can carry. */
const LEARNING_BEGINS_MS = 250;
/**
 * If the rate changes by more than this fraction from round to round, it does not show what the path can carry. It rises
 * while TCP connections start, and falls while sessions leave and their queue is still sent.
 */
const STEADY_CHANGE = 0.15;
/** Congestion begins when {@link PathMeter.queued} is above the first value, and ends when it is below the second. */
const [CONGESTION_BEGINS, CONGESTION_ENDS] = [0.6, 0.3];

const NEW_PATH: PathMeter = {
  carried: NO_RATE,
  last: NO_RATE,
  isQueued: false,
  queued: 0,
  isCongested: false,
  congestedFor: 0,
  isFull: false,
  down: NO_LIMIT,
  up: NO_LIMIT,
};

/** Updates the meters of all paths in one round. @param earlier, later the last two measurements of the subflows. */
export function measurePaths(
  before: PathMeters,
  paths: readonly PathConfig[],
  earlier: Meter,
  later: Meter,
): PathMeters {
  if (later === earlier) return before;
  const byPath = new Map<string, SubflowMeter[]>(paths.map(({ name }) => [name, []]));
  for (const { meters } of later.connections.values()) {
    for (const subflow of meters) byPath.get(subflow.path ?? '')?.push(subflow);
  }
  const now = later.at ?? 0;
  const elapsed = Math.max(0, now - (earlier.at ?? now));
  return new Map(
    paths.map((path) => [
      path.name,
      measurePath(before.get(path.name) ?? NEW_PATH, path, byPath.get(path.name) ?? [], now, elapsed),
    ]),
  );
}

function measurePath(
  before: PathMeter,
  { capacity }: PathConfig,
  subflows: readonly SubflowMeter[],
  now: number,
  elapsed: number,
): PathMeter {
  const total = subflows.reduce((sum, { last = NO_RATE }) => addRate(sum, last), NO_RATE);
  const isQueued = mostShowQueue(subflows);
  const queued = isQueued
    ? approach(before.queued, 1, elapsed, QUEUE_GROWS_MS)
    : approach(before.queued, 0, elapsed, QUEUE_ENDS_MS);
  const isCongested = queued > (before.isCongested ? CONGESTION_ENDS : CONGESTION_BEGINS);
  const congestedFor = isCongested && before.isCongested ? before.congestedFor + elapsed : 0;
  const fuller = fullerDirection(total, capacity);
  const isSteady = Math.abs(total[fuller] - before.last[fuller]) <= STEADY_CHANGE * before.last[fuller];
  const isFull = congestedFor >= LEARNING_BEGINS_MS && isQueued && before.isQueued && isSteady;
  const carried = mapRate((direction) =>
    approach(before.carried[direction], total[direction], elapsed, CARRIED_SMOOTHING_MS),
  );
  const learn = (direction: 'down' | 'up') =>
    learnLimit(before[direction], {
      now,
      elapsed,
      // A path that carries more than its limit shows that it can. One short interval does not show this.
      carried: isFull ? total[direction] : carried[direction],
      isFull: isFull && direction === fuller,
      isNewlyFull: !before.isFull,
      capacity: capacity?.[direction],
    });
  return {
    carried,
    last: total,
    isQueued,
    queued,
    isCongested,
    congestedFor,
    isFull,
    down: learn('down'),
    up: learn('up'),
  };
}

/** Whether most of the traffic on a path is late or lost. One client with a bad radio link does not count as a queue. */
function mostShowQueue(subflows: readonly SubflowMeter[]): boolean {
  // bit/s: of all subflows whose round-trip time means something, and of those that show a queue
  let meaningful = 0;
  let late = 0;
  for (const { last, rtt, leastRtt, loss = 0 } of subflows) {
    if (!last || last.down < MIN_MEANINGFUL_RATE) continue;
    meaningful += last.down;
    const isLate = rtt !== undefined && leastRtt !== undefined && showsQueue(rtt, leastRtt);
    if (isLate || loss > HIGH_LOSS) late += last.down;
  }
  return meaningful > 0 && late > meaningful / 2;
}

/** A round-trip time covers both directions. The queue is in the direction that is closer to its capacity. */
function fullerDirection({ down, up }: Rate, capacity: Rate = { down: 1, up: 1 }): 'down' | 'up' {
  return up / capacity.up > down / capacity.down ? 'up' : 'down';
}

/** The present loads of the paths, in the order of the config. @param health by the path's name. */
export function pathLoads(
  meters: PathMeters,
  paths: readonly PathConfig[],
  health: ReadonlyMap<string, Pick<PathLoad, 'health'>> = new Map(),
): PathLoad[] {
  return paths.map(({ name, capacity }) => {
    const { carried, isCongested, down, up } = meters.get(name) ?? NEW_PATH;
    const learnt = learntCapacity(down.rate, up.rate);
    const known = capacity ?? learnt;
    return {
      name,
      carried,
      ...(known && { capacity: known }),
      isLearnt: !capacity && learnt !== undefined,
      foreign: {
        down: foreign(capacity?.down, down.rate),
        up: foreign(capacity?.up, up.rate),
      },
      isCongested,
      health: health.get(name)?.health ?? 'idle',
    };
  });
}

/** A direction whose queue has not grown counts as having the capacity of the other one. */
function learntCapacity(down: number | undefined, up: number | undefined): Rate | undefined {
  if (down === undefined && up === undefined) return undefined;
  const wider = Math.max(down ?? 0, up ?? 0);
  return { down: down ?? wider, up: up ?? wider };
}

/** The part of the capacity that was not available to us, bit/s; 0 if it is not known. */
function foreign(capacity: number | undefined, limit: number | undefined): number {
  return capacity === undefined || limit === undefined ? 0 : Math.max(0, capacity - limit);
}
