import type { PathConfig } from '../../config/config.js';
import type { PathLoad } from '../../model/path-load.js';
import { learnLimit, NO_LIMIT, type Limit } from './limit.js';
import { approach, SMOOTHING as RATE_SMOOTHING, type Meter, type SubflowMeter } from './meter.js';
import { addRate, mapRate, NO_RATE, type Rate } from '../../model/rate.js';

/** What is kept of a path from one step to the next. */
export interface PathMeter {
  readonly carried: Rate;
  /** The last step showed a queue. */
  readonly isQueued: boolean;
  /** How much of the last second or so it showed one, 0 to 1. */
  readonly queued: number;
  readonly isCongested: boolean;
  /** For how long without a break, ms. */
  readonly congestedFor: number;
  readonly down: Limit;
  readonly up: Limit;
}

/** By path's name. */
export type PathMeters = ReadonlyMap<string, PathMeter>;

/** Microseconds that a round-trip time is above its least where a queue grew: more than what delayed ACKs and radios do. */
const QUEUE = 15_000;
/** The same as a part of the least one. */
const QUEUE_PART = 0.5;
/** The part of segments sent again from which a path is taken for full that has no queue. */
const LOSS = 0.02;
/** Bit/s acknowledged, below which a subflow shows the rhythm of ACKs rather than a queue. */
const TELLING = 80_000;
/** Milliseconds. */
const SMOOTHING = 1000;
/** Milliseconds in which a crowd of TCPs that begin together overfill a path before they fill it. */
const BEGINNING = 2500;
/** How much of the time a queue shows where congestion begins, and below which it ends. */
const [BEGINS, ENDS] = [0.6, 0.3];

const NEW: PathMeter = {
  carried: NO_RATE,
  isQueued: false,
  queued: 0,
  isCongested: false,
  congestedFor: 0,
  down: NO_LIMIT,
  up: NO_LIMIT,
};

/** One step, of the same two measurements that {@link Meter} has just made. */
export function measurePaths(
  before: PathMeters,
  paths: readonly PathConfig[],
  earlier: Meter,
  later: Meter,
): PathMeters {
  if (later === earlier) return before;
  const on = new Map<string, SubflowMeter[]>(paths.map(({ name }) => [name, []]));
  for (const { meters } of later.connections.values()) {
    for (const subflow of meters) on.get(subflow.path ?? '')?.push(subflow);
  }
  const now = later.at ?? 0;
  const time = Math.max(0, now - (earlier.at ?? now));
  return new Map(
    paths.map((path) => [
      path.name,
      measurePath(before.get(path.name) ?? NEW, path, on.get(path.name) ?? [], now, time),
    ]),
  );
}

function measurePath(
  before: PathMeter,
  { capacity }: PathConfig,
  subflows: readonly SubflowMeter[],
  now: number,
  time: number,
): PathMeter {
  const last = subflows.reduce((sum, { last = NO_RATE }) => addRate(sum, last), NO_RATE);
  const isQueued = showsQueue(subflows);
  const queued = approach(before.queued, isQueued ? 1 : 0, time, SMOOTHING);
  const isCongested = queued > (before.isCongested ? ENDS : BEGINS);
  const congestedFor = isCongested && before.isCongested ? before.congestedFor + time : 0;
  // While it empties, and while TCPs begin, what it carries is not what it can.
  const isFull = congestedFor >= BEGINNING && isQueued && before.isQueued;
  const way = fullerWay(last, capacity);
  const learn = (one: 'down' | 'up') =>
    learnLimit(before[one], {
      now,
      time,
      carried: last[one],
      isFull: isFull && one === way,
      capacity: capacity?.[one],
    });
  return {
    carried: mapRate((way) => approach(before.carried[way], last[way], time, RATE_SMOOTHING)),
    isQueued,
    queued,
    isCongested,
    congestedFor,
    down: learn('down'),
    up: learn('up'),
  };
}

/** Whether most of what a path carries comes late or is lost. One client with bad air does not make a queue. */
function showsQueue(subflows: readonly SubflowMeter[]): boolean {
  let telling = 0;
  let late = 0;
  for (const { last, rtt, leastRtt, loss = 0 } of subflows) {
    if (!last || last.down < TELLING) continue;
    telling += last.down;
    const isLate =
      rtt !== undefined && leastRtt !== undefined && rtt - leastRtt > Math.max(QUEUE, QUEUE_PART * leastRtt);
    if (isLate || loss > LOSS) late += last.down;
  }
  return telling > 0 && late > telling / 2;
}

/** A round trip has both ways: that one is full which is nearer to it. */
function fullerWay({ down, up }: Rate, capacity: Rate = { down: 1, up: 1 }): 'down' | 'up' {
  return up / capacity.up > down / capacity.down ? 'up' : 'down';
}

/** What is known of the paths now, in the order of the config. */
export function pathLoads(meters: PathMeters, paths: readonly PathConfig[]): PathLoad[] {
  return paths.map(({ name, capacity }) => {
    const { carried, isCongested, down, up } = meters.get(name) ?? NEW;
    const learnt = learntCapacity(down.rate, up.rate);
    const counted = capacity ?? learnt;
    return {
      name,
      carried,
      ...(counted && { capacity: counted }),
      isLearnt: !capacity && learnt !== undefined,
      foreign: {
        down: foreign(capacity?.down, down.rate),
        up: foreign(capacity?.up, up.rate),
      },
      isCongested,
    };
  });
}

/** The way whose queue has not grown is taken for as wide as the other. */
function learntCapacity(down: number | undefined, up: number | undefined): Rate | undefined {
  if (down === undefined && up === undefined) return undefined;
  const wider = Math.max(down ?? 0, up ?? 0);
  return { down: down ?? wider, up: up ?? wider };
}

function foreign(capacity: number | undefined, limit: number | undefined): number {
  return capacity === undefined || limit === undefined ? 0 : Math.max(0, capacity - limit);
}
