import { count, loadsOn, type Counted } from './count.js';
import { Crowd } from './crowd.js';
import { NO_RATE, type Rate } from '../../model/rate.js';
import { rearrange } from './rearrange.js';
import { relieve } from './relieve.js';

/** A path and what it can carry. */
export interface BalancedPath {
  readonly name: string;
  /**
   * What it can carry, bit/s each way; absent, or not above 0 and not 0: not known. Below 1 bit/s in either direction
   * it carries nothing: its sessions leave, and none come.
   */
  readonly capacity?: Rate;
  /** What it carries that no move changes, bit/s each way: of sessions that are not balanced, or of others than us. */
  readonly other?: Rate;
}

/** A session that is to be placed among all others. */
export interface BalancedSession {
  /** Whatever names it to the caller; unique. */
  readonly id: string;
  /** What it uses, bit/s each way, over all its subflows. */
  readonly rate: Rate;
  /** What is kept free for it even when it uses less, bit/s each way. */
  readonly minRate?: Rate;
  /** Its primary path now; absent where there is none. */
  readonly path?: string;
  /** When it came to that path, by a move or as it connected; milliseconds of a clock that is never set. */
  readonly since: number;
  /** The paths that it may be on: it has a subflow there, and its rule allows it. */
  readonly allowed: readonly string[];
  /** By path: what a bit counts for there, above 0, 1 where nothing is said. At 2 the path takes half as much. */
  readonly cost?: ReadonlyMap<string, number>;
}

/** How eagerly sessions are moved. */
export interface BalanceOptions {
  /** Milliseconds that a session stays on a path that it came to, as long as it may be there. */
  readonly dwell: number;
  /** How many sessions are moved in one round, from 0. Those that have no path are placed all the same. */
  readonly moves: number;
  /** By which part the path that a session goes to must stay less full than the one it leaves was: 0 to below 1. */
  readonly gain: number;
  /** Bit/s, both ways together, below which a session is idle and is not moved. */
  readonly idle: number;
  /** How full a path may be and yet is left alone, 1 is full: nobody waits there. */
  readonly calm: number;
}

export const BALANCE_DEFAULTS: BalanceOptions = {
  dwell: 30_000,
  moves: 32,
  gain: 0.004,
  idle: 8_000,
  calm: 0.05,
};

/** What is to be balanced, at one moment. */
export interface BalanceInput {
  readonly paths: readonly BalancedPath[];
  readonly sessions: readonly BalancedSession[];
  /** The clock of `since`, now. */
  readonly now: number;
}

/** One session's new primary path. */
export interface Move {
  readonly id: string;
  /** Absent: it had none. */
  readonly from?: string;
  readonly to: string;
}

/** A path before and after the moves. */
export interface PathBalance {
  readonly name: string;
  /** What was counted with, bit/s each way: as told, or as taken for one that is not known. */
  readonly capacity: Rate;
  /** What it was asked to carry, bit/s each way: `other`, and of each session its rate or `minRate`, whatever is more. */
  readonly before: Rate;
  /** What it is asked to carry when the moves are made. */
  readonly after: Rate;
}

export interface Balance {
  /** First the sessions that have no path, then the others, the largest first. */
  readonly moves: readonly Move[];
  /** In the order of the input. */
  readonly paths: readonly PathBalance[];
}

/**
 * Places each session among all others so that the fullest path is as little full as can be, then the next fullest: the
 * moves of one round. How full a path is, is what it is asked to carry / its capacity, in the direction where that is
 * more.
 *
 * A session moves only where that is worth it: the path that it leaves was fuller, by `gain`, than the other becomes. So
 * under constant rates the rounds come to rest, and then no session is moved back. Idle sessions, and those that came to
 * their path less than `dwell` ago, stay. One that may not stay (its path is gone, is no longer allowed or carries
 * nothing) is placed at once; where it may be nowhere, it is left as it is.
 *
 * Pure: the same input gives the same moves. The largest 16 sessions are tried on all paths together, as far as a bounded
 * search and the round's moves go, the others one by one.
 */
export function balance(input: BalanceInput, options: Partial<BalanceOptions> = {}): Balance {
  const settings = { ...BALANCE_DEFAULTS, ...options };
  const counted = count(input);
  const crowd = new Crowd({ ...counted, ...settings });
  const all = counted.sessions
    .map((_, session) => session)
    .filter((session) => counted.choices[session] !== 0);
  const homeless = all.filter((session) => crowd.origin(session) < 0);
  if (homeless.length > 0) placeHomeless(crowd, counted, homeless);
  const movable = all.filter((session) => isMovable(counted, session, input.now, settings));
  // The fullest path is relieved by `gain` each time, so there is an end; this is for the reader's peace.
  for (let times = 0; times < 10; times++) {
    relieve(crowd, movable, settings.calm);
    if (!rearrange(crowd, movable, settings.calm)) break;
  }
  return told(input, counted, crowd);
}

/**
 * Puts sessions that have no path where they fill least. Until one has shown what it uses it is taken for an average
 * one, lest all newcomers go to the same path.
 */
function placeHomeless(crowd: Crowd, counted: Counted, homeless: readonly number[]): void {
  const { rate } = counted;
  const expected = { down: rate.down.slice(), up: rate.up.slice() };
  for (const way of ['down', 'up'] as const) {
    // 1 bit/s: where nobody uses anything, heads are counted.
    const average = Math.max(1, rate[way].reduce((sum, more) => sum + more, 0) / rate[way].length);
    for (const session of homeless) {
      expected[way][session] = Math.max(average, rate[way][session] ?? 0);
    }
  }
  const guess = new Crowd({ ...counted, rate: expected, moves: 0, gain: 0 });
  for (const session of homeless) {
    guess.put(session, guess.emptiest(session));
    crowd.put(session, guess.at(session));
  }
}

function isMovable(
  { sessions, rate, choices, origin }: Counted,
  session: number,
  now: number,
  { dwell, idle }: BalanceOptions,
): boolean {
  if ((choices[session] ?? 0) < 2 || (rate.down[session] ?? 0) + (rate.up[session] ?? 0) < idle) return false;
  const age = now - (sessions[session]?.since ?? 0);
  // What comes after now was told by another clock: nothing is known of it.
  return origin[session] === -1 || age < 0 || age >= dwell;
}

function told({ paths }: BalanceInput, counted: Counted, crowd: Crowd): Balance {
  const homeless: Move[] = [];
  const others: Move[] = [];
  counted.sessions.forEach(({ id, path: from }, session) => {
    const to = paths[crowd.at(session)]?.name;
    if (to === undefined || crowd.at(session) === crowd.origin(session)) return;
    const moves = crowd.origin(session) < 0 ? homeless : others;
    moves.push({ id, ...(from !== undefined && { from }), to });
  });
  const at = counted.origin.map((_, session) => crowd.at(session));
  const after = loadsOn(counted.fixed, counted.rate, at);
  return {
    moves: [...homeless, ...others],
    paths: paths.map(({ name }, path) => ({
      name,
      capacity: counted.capacities[path] ?? NO_RATE,
      before: counted.loads[path] ?? NO_RATE,
      after: after[path] ?? NO_RATE,
    })),
  };
}
