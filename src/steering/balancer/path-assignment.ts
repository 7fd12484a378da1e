import type { SteeringConfig } from '../../config/config.js';
import type { PathLoad } from '../../model/path-load.js';
import { addRate, mapRate, maxRate, minRate, NO_RATE, type Rate } from '../../model/rate.js';
import type { Choice } from '../choice.js';
import type { Rule } from '../rule.js';
import { ageOf, minimumDwells, stayAfterArrival, stayAfterMove, type Stay } from '../stay.js';
import { balance, type BalancedPath, type BalancedSession } from './balance.js';
import { estimateDemands, isFull } from './demand.js';

/** A session of the mode `balance` in one round. */
export interface Candidate {
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
export interface PathAssignment extends Choice, Stay {
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
}

/** The state before the first round. */
export const NO_ASSIGNMENTS: BalanceState = { assignments: new Map(), roundAt: -Infinity };

/**
 * Milliseconds in which a client's second path appears, if it has one. The session had no choice before that, so a path is
 * then assigned to it again.
 */
const SECOND_PATH_WITHIN_MS = 10_000;
/** Milliseconds after which a session that has not come to its assigned path counts as staying where it is. */
const ASSIGNMENT_FAILED_AFTER_MS = 3000;
/** The lowest capacity to assume of a path whose queue has not grown, as a multiple of what it carries. */
const ASSUMED_HEADROOM = 1.25;
/** The shortest time between two full rounds while a path is full, milliseconds. */
const URGENT_INTERVAL_MS = 200;
/** A path that is less than half full is not relieved: nobody on it would notice. */
const NEGLIGIBLE = 0.5;
/** A rate that is an average of a shorter time than this, milliseconds, moves nobody from a path that is not full. */
const RATE_KNOWN_AFTER_MS = 3000;
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
  const interval = loads.some(isFull) ? Math.min(steering.interval, URGENT_INTERVAL_MS) : steering.interval;
  const isFullRound = ageOf(before.roundAt, now) >= interval;
  const assigned = candidates.map((candidate) =>
    assignmentBefore(before.assignments.get(candidate.key), candidate, steering, now),
  );
  if (!isFullRound && assigned.every(({ active }) => active.length > 0)) {
    return { ...before, assignments: byKey(candidates, assigned) };
  }
  const { moves } = balance(
    { paths: balancedPaths(loads, fixed), sessions: balancedSessions(step, assigned), now },
    {
      dwell: steering.dwell,
      moves: isFullRound ? steering.moves : 0,
      gain: steering.gain,
      negligible: NEGLIGIBLE,
    },
  );
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
  return { assignments: byKey(candidates, assignments), roundAt: isFullRound ? now : before.roundAt };
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
): BalancedSession[] {
  const rates = estimateDemands(
    candidates.map(({ rate }, index) => ({ rate, path: assigned[index]?.active[0] })),
    loads,
  );
  const sum = rates.reduce(addRate, NO_RATE);
  const average = mapRate((direction) => sum[direction] / Math.max(1, rates.length));
  const full = new Set(loads.filter(isFull).map(({ name }) => name));
  return candidates.map(({ key, rule, choices, averagedFor }, index) => {
    const { active = [], since = now, firstSeen = now, moves = 0 } = assigned[index] ?? {};
    const [path] = active;
    const isOnFullPath = path !== undefined && full.has(path);
    const lowest = maxRate(MIN_RATE, ageOf(firstSeen, now) < dwell ? average : MIN_RATE);
    return {
      id: key,
      rate: maxRate(rates[index] ?? NO_RATE, lowest),
      ...(rule.minRate && { minRate: rule.minRate }),
      ...(path !== undefined && { path }),
      since: sinceForBalancer({ since, moves }, { isOnFullPath, averagedFor, dwell, now }),
      allowed: choices,
      ...(rule.cost && { cost: new Map(Object.entries(rule.cost)) }),
    };
  });
}

/**
 * When a session counts as arrived. The balancer has one dwell time for all sessions, so a session that must stay
 * longer counts as arrived later. The dwell time protects sessions that were moved from being moved to and fro. It
 * does not protect a newcomer: its path was chosen before anybody knew its rate, so on a full path this is corrected at
 * once. On a path with room, no session moves before its rate is known.
 */
function sinceForBalancer(
  { since, moves }: Stay,
  {
    isOnFullPath,
    averagedFor,
    dwell,
    now,
  }: {
    readonly isOnFullPath: boolean;
    readonly averagedFor: number;
    readonly dwell: number;
    readonly now: number;
  },
): number {
  if (!isOnFullPath && averagedFor < RATE_KNOWN_AFTER_MS && dwell > 0) return now;
  if (isOnFullPath && moves === 0) return now - dwell;
  return since > now ? since : Math.min(now, since + (minimumDwells({ moves }) - 1) * dwell);
}

/**
 * The paths as the input of the balancer. The load that no move changes is that of other sessions and of foreign
 * traffic. If only some capacities are known, a path without one has some headroom until its queue grows.
 */
function balancedPaths(loads: readonly PathLoad[], fixed: ReadonlyMap<string, Rate>): BalancedPath[] {
  const [first, ...others] = loads.flatMap(({ capacity }) => capacity ?? []);
  const smallest = first && others.reduce(minRate, first);
  return loads.map(({ name, capacity, carried, foreign, health }) => {
    if (health === 'dead') return { name, capacity: NO_RATE };
    const withHeadroom = mapRate((direction) => ASSUMED_HEADROOM * carried[direction]);
    const known = capacity ?? (smallest && maxRate(smallest, withHeadroom));
    return {
      name,
      ...(known && { capacity: known }),
      other: addRate(foreign, fixed.get(name) ?? NO_RATE),
    };
  });
}

/** The assignments by the keys of their sessions. */
function byKey(
  candidates: readonly Candidate[],
  assignments: readonly PathAssignment[],
): Map<string, PathAssignment> {
  return new Map(candidates.map(({ key }, index) => [key, assignments[index] as PathAssignment]));
}
