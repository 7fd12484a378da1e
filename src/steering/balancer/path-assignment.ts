import type { SteeringConfig } from '../../config/config.js';
import type { PathLoad } from '../../model/path-load.js';
import { addRate, mapRate, maxRate, NO_RATE, type Rate } from '../../model/rate.js';
import type { Choice } from '../choice.js';
import type { Rule } from '../rule.js';
import { ageOf, stayAfterArrival, stayAfterMove, type Stay } from '../stay.js';
import {
  carriedByBoth,
  NO_SECOND_PATHS,
  stepBothPaths,
  type BothAssignment,
  type BothCandidate,
  type BothState,
} from './both-paths.js';
import { fullFor, isNewlyFull, stepFullTimes, type FullTimes } from './full-paths.js';
import { afterTrial, NO_TRIAL, pathsToTry, type TrialTimes } from './trial.js';
import { arrivalOf } from './arrival.js';
import { balancedPaths, NOTHING_TRIED } from './balanced-paths.js';
import { balance, type BalancedSession, type BalanceInput } from './balance.js';
import { estimateDemands, isFull } from './demand.js';

/** A session of the mode `balance` in one round. */
export interface Candidate extends BothCandidate {
  /** Unique among the sessions. */
  readonly key: string;
  readonly rule: Rule;
  /** The paths that it can use, at least one. */
  readonly choices: readonly string[];
  /** The path that is primary now; undefined: no single path is. */
  readonly current: string | undefined;
  /** What it uses over all its subflows, bit/s. */
  readonly rate: Rate;
  /** How long a time `rate` is an average of, milliseconds. */
  readonly averagedFor: number;
}

/** The path that a session was assigned to. */
export interface PathAssignment extends Choice, Stay, BothAssignment {
  /** When it was first observed, milliseconds of a monotonic clock. */
  readonly firstSeen: number;
  /** Whether it ever had the choice between two paths. */
  readonly hadChoice: boolean;
}

/** What the mode `balance` keeps from one round to the next. */
export interface BalanceState {
  /** By {@link Candidate.key}. */
  readonly assignments: ReadonlyMap<string, PathAssignment>;
  /** When sessions were last compared in a full round, milliseconds of a monotonic clock. */
  readonly roundAt: number;
  readonly both: BothState;
  readonly fullTimes: FullTimes;
  readonly trial: TrialTimes;
  /**
   * Since when the balancer has wanted to move sessions and waits whether this lasts, the same clock; absent: it does not
   * wait.
   */
  readonly wantsMovesSince?: number;
}

/** The state before the first round. */
export const NO_ASSIGNMENTS: BalanceState = {
  assignments: new Map(),
  roundAt: -Infinity,
  both: NO_SECOND_PATHS,
  fullTimes: new Map(),
  trial: NO_TRIAL,
};

/**
 * Milliseconds in which a client's second path appears, if it has one. The session had no choice before that, so a path is
 * then assigned to it again.
 */
const SECOND_PATH_WITHIN_MS = 10_000;
/** Milliseconds after which a session that has not come to its assigned path counts as staying where it is. */
const ASSIGNMENT_FAILED_AFTER_MS = 3000;
/** The shortest time between two full rounds while a path is full, milliseconds. */
const URGENT_INTERVAL_MS = 200;
/**
 * The balancer must have wanted to move sessions for this many milliseconds, unless a path is newly full. So what TCP
 * connections do to each other for a moment moves nobody. If every path is full, no move is urgent, because no path has
 * room.
 */
const MOVES_WANTED_FOR_MS = 2000;
/** A path that is less than half full is not relieved: nobody on it would notice. */
const NEGLIGIBLE = 0.5;
/** Bit/s. If nobody uses anything, this makes the balancer count sessions. */
const MIN_RATE: Rate = { down: 1, up: 1 };

/** The input of one round. */
export interface BalanceRound {
  readonly candidates: readonly Candidate[];
  readonly loads: readonly PathLoad[];
  /** By the path's name: what sessions of other modes use there, bit/s. */
  readonly fixed: ReadonlyMap<string, Rate>;
  readonly steering: SteeringConfig;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
}

/**
 * One round: assigns a path to each session without one. Once in each `interval`, and more often while a path is full,
 * it also moves other sessions, if that is worth it.
 */
export function assignPaths(before: BalanceState, step: BalanceRound): BalanceState {
  const { candidates, loads, fixed, steering, now } = step;
  const fullTimes = stepFullTimes(before.fullTimes, loads, now);
  const isUrgent = !loads.every(isFull) && loads.some(({ name }) => isNewlyFull(fullTimes, name, now));
  const interval = loads.some(isFull) ? Math.min(steering.interval, URGENT_INTERVAL_MS) : steering.interval;
  const isFullRound = ageOf(before.roundAt, now) >= interval;
  const assigned = candidates.map((candidate) =>
    assignmentBefore(before.assignments.get(candidate.key), candidate, steering, now),
  );
  if (!isFullRound && assigned.every(({ active }) => active.length > 0)) {
    return { ...before, fullTimes, assignments: byKey(candidates, assigned) };
  }
  // A session with two paths is not moved, so what it uses is load that no move changes.
  const immovable = new Map(fixed);
  for (const [path, rate] of carriedByBoth(candidates, assigned))
    immovable.set(path, addRate(immovable.get(path) ?? NO_RATE, rate));
  const inputFor = (isUrgentNow: boolean, tried: ReadonlySet<string>): BalanceInput => {
    const sessions = balancedSessions(step, assigned, fullTimes, isUrgentNow);
    return { paths: balancedPaths(loads, immovable, sessions, tried), sessions, now };
  };
  const { dwell, gain } = steering;
  const input = inputFor(isUrgent, NOTHING_TRIED);
  const movesIn = (most: number, from = input) =>
    balance(from, { dwell, moves: most, gain, negligible: NEGLIGIBLE }).moves;
  const wanted = movesIn(isFullRound ? steering.moves : 0);
  const wantsMoves = isFullRound
    ? wanted.some(({ from }) => from !== undefined)
    : before.wantsMovesSince !== undefined;
  const wantsMovesSince = wantsMoves ? (before.wantsMovesSince ?? now) : undefined;
  const mustWait =
    isFullRound &&
    wantsMovesSince !== undefined &&
    !isUrgent &&
    ageOf(wantsMovesSince, now) < MOVES_WANTED_FOR_MS;
  const tried = wantsMoves || !isFullRound ? NOTHING_TRIED : pathsToTry(before.trial, loads, fullTimes, now);
  const isTrial = tried.size > 0;
  const moves = mustWait ? movesIn(0) : isTrial ? movesIn(1, inputFor(true, tried)) : wanted;
  const newPaths = new Map(moves.map(({ id, to }) => [id, to]));
  const assignments = assigned.map((assignment, index): PathAssignment => {
    const path = newPaths.get(candidates[index]?.key ?? '');
    if (path === undefined) return assignment;
    const hadPath = assignment.active.length > 0;
    return {
      ...assignment,
      active: [path],
      ...(hadPath ? stayAfterMove(assignment, steering.dwell, now) : stayAfterArrival(now)),
    };
  });
  const hasMoved = moves.length > 0;
  const both = stepBothPaths(before.both, {
    candidates,
    assignments,
    loads,
    fullTimes,
    dwell,
    now,
    hasMoved,
  });
  return {
    assignments: byKey(candidates, both.assignments),
    roundAt: isFullRound ? now : before.roundAt,
    both: both.state,
    fullTimes,
    trial: isTrial && hasMoved ? afterTrial(before.trial, now) : before.trial,
    ...(wantsMovesSince !== undefined && (mustWait || !isFullRound) && { wantsMovesSince }),
  };
}

/**
 * The assignment with which a session enters the round. `active` is empty if the session needs a path: it is new and on no
 * single path, cannot use its path any more, or has got its second path. A session that stays away from its assigned path is assigned to the path
 * that it is on.
 */
function assignmentBefore(
  before: PathAssignment | undefined,
  { choices, current }: Candidate,
  { dryRun, dwell }: SteeringConfig,
  now: number,
): PathAssignment {
  const hasChoice = choices.length > 1;
  if (!before) {
    const active = current !== undefined && choices.includes(current) ? [current] : [];
    return { active, firstSeen: now, hadChoice: hasChoice, ...stayAfterArrival(now) };
  }
  const hadChoice = before.hadChoice || hasChoice;
  const hasGotSecondPath =
    !before.hadChoice && hasChoice && ageOf(before.firstSeen, now) < SECOND_PATH_WITHIN_MS;
  if (hasGotSecondPath) return { ...before, hadChoice, active: [] };
  const active = before.active.filter((path) => choices.includes(path));
  const isElsewhere = current !== undefined && current !== active[0] && choices.includes(current);
  // In a dry run no session comes to its assigned path.
  if (isElsewhere && !dryRun && ageOf(before.since, now) >= ASSIGNMENT_FAILED_AFTER_MS) {
    return { ...before, hadChoice, active: [current], ...stayAfterMove(before, dwell, now) };
  }
  return { ...before, hadChoice, active };
}

/** The input of the balancer. A new session counts as an average one at least, until its rate is known. */
function balancedSessions(
  { candidates, loads, steering: { dwell }, now }: BalanceRound,
  assigned: readonly PathAssignment[],
  fullTimes: FullTimes,
  isUrgent: boolean,
): BalancedSession[] {
  const rates = estimateDemands(
    candidates.map(({ rate }, index) => ({ rate, path: singlePath(assigned[index]) })),
    loads,
  );
  const sum = rates.reduce(addRate, NO_RATE);
  const averageOn = averageByPath(candidates, assigned);
  const average = mapRate((direction) => sum[direction] / Math.max(1, rates.length));
  return candidates.flatMap(({ key, rule, choices, rate, averagedFor }, index) => {
    if ((assigned[index]?.active.length ?? 0) > 1) return [];
    const { active = [], since = now, firstSeen = now, moves = 0 } = assigned[index] ?? {};
    const [path] = active;
    const isOnFullPath = fullFor(fullTimes, path, now) !== undefined;
    const size = (rate.down + rate.up) / Math.max(1, averageOn.get(path) ?? 1);
    const lowest = maxRate(MIN_RATE, ageOf(firstSeen, now) < dwell ? average : MIN_RATE);
    const session: BalancedSession = {
      id: key,
      rate: maxRate(rates[index] ?? NO_RATE, lowest),
      ...(rule.minRate && { minRate: rule.minRate }),
      ...(path !== undefined && { path }),
      since: arrivalOf({ since, moves }, { isOnFullPath, isUrgent, size, averagedFor, dwell, now }),
      allowed: choices,
      ...(rule.cost && { cost: new Map(Object.entries(rule.cost)) }),
    };
    return [session];
  });
}

/** By the path's name: the mean rate of the sessions that are on this path alone, bit/s, the sum of both directions. */
function averageByPath(
  candidates: readonly Candidate[],
  assigned: readonly PathAssignment[],
): ReadonlyMap<string | undefined, number> {
  const totals = new Map<string | undefined, { sum: number; count: number }>();
  candidates.forEach(({ rate }, index) => {
    const path = singlePath(assigned[index]);
    const { sum, count } = totals.get(path) ?? { sum: 0, count: 0 };
    totals.set(path, { sum: sum + rate.down + rate.up, count: count + 1 });
  });
  return new Map([...totals].map(([path, { sum, count }]) => [path, sum / count]));
}

/** The path of a session that has one; undefined: it has none or two. */
function singlePath(assignment: PathAssignment | undefined): string | undefined {
  return assignment?.active.length === 1 ? assignment.active[0] : undefined;
}

/** The assignments by the keys of their sessions. */
function byKey(
  candidates: readonly Candidate[],
  assignments: readonly PathAssignment[],
): Map<string, PathAssignment> {
  return new Map(candidates.map(({ key }, index) => [key, assignments[index] as PathAssignment]));
}
