import { indexInput, loadsOn, type IndexedInput } from './indexed-input.js';
import { Distribution } from './distribution.js';
import { NO_RATE, type Rate } from '../../model/rate.js';
import { rearrange } from './rearrange.js';
import { relieve } from './relieve.js';

/** A path and what it can carry. */
export interface BalancedPath {
  readonly name: string;
  /**
   * What it can carry, bit/s; absent or not a valid rate: not known. A path below 1 bit/s in either direction carries
   * nothing: its sessions leave, and none come.
   */
  readonly capacity?: Rate;
  /** The load that no move changes, bit/s: of sessions that are not balanced, and of traffic that is not ours. */
  readonly other?: Rate;
}

/** A session to place among all others. */
export interface BalancedSession {
  /** A unique name, which the caller chooses. */
  readonly id: string;
  /** What it uses over all its subflows, bit/s. */
  readonly rate: Rate;
  /** What is reserved for it even if it uses less, bit/s. */
  readonly minRate?: Rate;
  /** Its primary path now; absent if it has none. */
  readonly path?: string;
  /** When it came to that path, by a move or when it connected; milliseconds of a monotonic clock. */
  readonly since: number;
  /** The paths that it may use: it has a subflow there, and its rule allows them. */
  readonly allowed: readonly string[];
  /** By path: how much each bit counts there, above 0; 1 for the other paths. At 2 the path carries half as much. */
  readonly cost?: ReadonlyMap<string, number>;
}

/** How often sessions are moved, and for how much gain. */
export interface BalanceOptions {
  /** The shortest time, milliseconds, that a session stays on a path that it came to, while it may use that path. */
  readonly dwell: number;
  /** The most sessions to move in one round, 0 or more. Sessions without a path are placed in addition. */
  readonly moves: number;
  /** The fraction by which a session's new path must stay less full than its old path was: 0 to below 1. */
  readonly gain: number;
  /** Bit/s, the sum of both directions, below which a session is idle and is not moved. */
  readonly idle: number;
  /** The utilisation up to which a path is not relieved, because no session waits there; 1 is full. */
  readonly negligible: number;
}

/** The mode `balance` replaces `dwell`, `moves` and `gain` by what `[steering]` says. */
export const BALANCE_DEFAULTS: BalanceOptions = {
  dwell: 30_000,
  moves: 32,
  gain: 0.004,
  idle: 8_000,
  negligible: 0.05,
};

/** The paths and sessions at one moment. */
export interface BalanceInput {
  readonly paths: readonly BalancedPath[];
  readonly sessions: readonly BalancedSession[];
  /** The present time of the clock of `since`. */
  readonly now: number;
}

/** One session's new primary path. */
export interface Move {
  readonly id: string;
  /** Absent: it had no path. */
  readonly from?: string;
  readonly to: string;
}

/** A path before and after the moves. */
export interface PathBalance {
  readonly name: string;
  /** The capacity that was used, bit/s: the given one, or the assumed one if it is not known. */
  readonly capacity: Rate;
  /** Its load, bit/s: `other`, and of each session the rate or `minRate`, whichever is more. */
  readonly before: Rate;
  /** Its load after the moves, bit/s. */
  readonly after: Rate;
}

/** The result of one round. */
export interface Balance {
  /** First the sessions without a path, then the others, the largest first. */
  readonly moves: readonly Move[];
  /** In the order of the input. */
  readonly paths: readonly PathBalance[];
}

/**
 * The moves of one round, which distribute all sessions over the paths. It relieves the fullest path first, then the
 * next fullest, with as few moves as possible. The utilisation of a path is its load divided by its capacity, in the
 * direction where that is higher.
 *
 * A session moves only if its old path was fuller, by `gain`, than its new path becomes. Where both paths are almost
 * equally full, it also moves if that relieves its old path by more than it burdens the new one; the new path can then
 * become up to 0.6 % fuller than the old one was. So with constant rates the moves end, and no session moves back. A session stays if it is idle, or came to its path less than `dwell` ago. A
 * session that cannot stay (its path is gone, is not allowed any more or carries nothing) moves at once. A session
 * that may use no path is left as it is.
 *
 * Pure: the same input gives the same moves. The 16 largest sessions are tried on all paths together, in a bounded
 * search; the others are tried one by one.
 */
export function balance(input: BalanceInput, options: Partial<BalanceOptions> = {}): Balance {
  const settings = { ...BALANCE_DEFAULTS, ...options };
  const indexed = indexInput(input);
  const distribution = new Distribution({ ...indexed, ...settings });
  const all = indexed.sessions
    .map((_, session) => session)
    .filter((session) => indexed.choices[session] !== 0);
  const withoutPath = all.filter((session) => distribution.origin(session) < 0);
  if (withoutPath.length > 0) placeSessionsWithoutPath(distribution, indexed, withoutPath);
  const movable = all.filter((session) => isMovable(indexed, session, input.now, settings));
  // Safety bound: each time relieves the fullest path by `gain`, so the loop always ends.
  for (let times = 0; times < 10; times++) {
    relieve(distribution, movable, settings.negligible);
    if (!rearrange(distribution, movable, settings.negligible)) break;
  }
  return toResult(input, indexed, distribution);
}

/**
 * Puts each session without a path on the path that stays emptiest. Until its rate is known it counts as an average
 * session; otherwise all new sessions would go to the same path.
 */
function placeSessionsWithoutPath(
  distribution: Distribution,
  indexed: IndexedInput,
  withoutPath: readonly number[],
): void {
  const { rate } = indexed;
  const expected = { down: rate.down.slice(), up: rate.up.slice() };
  for (const direction of ['down', 'up'] as const) {
    // 1 bit/s: if nobody uses anything, this counts sessions.
    const average = Math.max(
      1,
      rate[direction].reduce((sum, more) => sum + more, 0) / rate[direction].length,
    );
    for (const session of withoutPath) {
      expected[direction][session] = Math.max(average, rate[direction][session] ?? 0);
    }
  }
  const guess = new Distribution({ ...indexed, rate: expected, moves: 0, gain: 0 });
  for (const session of withoutPath) {
    guess.move(session, guess.emptiestPath(session));
    distribution.move(session, guess.pathOf(session));
  }
}

function isMovable(
  { sessions, rate, choices, origin }: IndexedInput,
  session: number,
  now: number,
  { dwell, idle }: BalanceOptions,
): boolean {
  if ((choices[session] ?? 0) < 2 || (rate.down[session] ?? 0) + (rate.up[session] ?? 0) < idle) return false;
  const age = now - (sessions[session]?.since ?? 0);
  // A time after now is of another clock, so the age is not known.
  return origin[session] === -1 || age < 0 || age >= dwell;
}

function toResult({ paths }: BalanceInput, indexed: IndexedInput, distribution: Distribution): Balance {
  const withoutPath: Move[] = [];
  const others: Move[] = [];
  indexed.sessions.forEach(({ id, path: from }, session) => {
    const to = paths[distribution.pathOf(session)]?.name;
    if (to === undefined || distribution.pathOf(session) === distribution.origin(session)) return;
    const moves = distribution.origin(session) < 0 ? withoutPath : others;
    moves.push({ id, ...(from !== undefined && { from }), to });
  });
  const at = indexed.origin.map((_, session) => distribution.pathOf(session));
  const after = loadsOn(indexed.fixed, indexed.rate, at);
  return {
    moves: [...withoutPath, ...others],
    paths: paths.map(({ name }, path) => ({
      name,
      capacity: indexed.capacities[path] ?? NO_RATE,
      before: indexed.loads[path] ?? NO_RATE,
      after: after[path] ?? NO_RATE,
    })),
  };
}
