import type { SteeringConfig } from '../../config/config.js';
import { balance, type BalancedPath, type BalancedSession } from './balance.js';
import type { Choice } from '../choice.js';
import { estimateDemands } from './demand.js';
import type { PathLoad } from '../../model/path-load.js';
import { addRate, mapRate, maxRate, minRate, NO_RATE, type Rate } from '../../model/rate.js';
import type { Rule } from '../rule.js';
import { ageOf, stayAfterArrival, minimumDwells, stayAfterMove, type Stay } from '../stay.js';

/** A session of `balance` at one moment. */
export interface Candidate {
  readonly key: string;
  readonly rule: Rule;
  /** The paths that it may be on, at least one. */
  readonly choices: readonly string[];
  /** The path that is primary now; absent: no one path. */
  readonly current: string | undefined;
  /** Over all its subflows, bit/s. */
  readonly rate: Rate;
}

/** Where a session was placed. */
export interface PathAssignment extends Choice, Stay {
  /** When it was first seen. */
  readonly first: number;
  /** It has had the choice between paths. */
  readonly hadChoice: boolean;
}

/** What is kept from one round to the next. */
export interface BalanceState {
  readonly assignments: ReadonlyMap<string, PathAssignment>;
  /** When sessions were last moved between paths, or it was weighed. */
  readonly roundAt: number;
}

export const NO_ASSIGNMENTS: BalanceState = { assignments: new Map(), roundAt: -Infinity };

/** Milliseconds in which a client's second path comes, if it does: until then, where it first was is no choice. */
const ARRIVING = 10_000;
/** Milliseconds after which a session that cannot be brought to its path is counted where it is. */
const REFUSED = 3000;
/** Of what it carries, what a path is thought to be able to carry whose queue has not grown. */
const ROOM = 1.25;
/** Bit/s: where nobody uses anything, heads are counted. */
const HEAD: Rate = { down: 1, up: 1 };

/** What sessions are placed by, at one moment. */
export interface BalanceRound {
  readonly candidates: readonly Candidate[];
  readonly loads: readonly PathLoad[];
  /** By path's name: what it carries of sessions of other modes, bit/s. */
  readonly fixed: ReadonlyMap<string, Rate>;
  readonly steering: SteeringConfig;
  readonly now: number;
}

/** One step: sessions that have no path are placed at once; every `interval`, the others are weighed. */
export function assignPaths(before: BalanceState, step: BalanceRound): BalanceState {
  const { candidates, loads, fixed, steering, now } = step;
  const isRound = ageOf(before.roundAt, now) >= steering.interval;
  const placed = candidates.map((one) =>
    assignmentBefore(before.assignments.get(one.key), one, steering, now),
  );
  if (!isRound && placed.every(({ active }) => active.length > 0)) {
    return { ...before, assignments: byKey(candidates, placed) };
  }
  const { moves } = balance(
    { paths: balancedPaths(loads, fixed), sessions: balancedSessions(step, placed), now },
    { dwell: steering.dwell, moves: isRound ? steering.moves : 0, gain: steering.gain },
  );
  const to = new Map(moves.map((move) => [move.id, move.to]));
  const places = placed.map((place, index): PathAssignment => {
    const path = to.get(candidates[index]?.key ?? '');
    if (path === undefined) return place;
    const wasPlaced = place.active.length > 0;
    return {
      ...place,
      active: [path],
      ...(wasPlaced ? stayAfterMove(place, steering.dwell, now) : stayAfterArrival(now)),
    };
  });
  return { assignments: byKey(candidates, places), roundAt: isRound ? now : before.roundAt };
}

/** Where a session is before the round; `active` is empty: it is to be placed. */
function assignmentBefore(
  before: PathAssignment | undefined,
  { choices, current }: Candidate,
  { dryRun, dwell }: SteeringConfig,
  now: number,
): PathAssignment {
  const hasChoice = choices.length > 1;
  if (!before) {
    const active = current !== undefined && choices.includes(current) ? [current] : [];
    return { active, first: now, hadChoice: hasChoice, ...stayAfterArrival(now) };
  }
  const hadChoice = before.hadChoice || hasChoice;
  const isNew = !before.hadChoice && hasChoice && ageOf(before.first, now) < ARRIVING;
  const active = isNew ? [] : before.active.filter((path) => choices.includes(path));
  const isElsewhere = current !== undefined && current !== active[0] && choices.includes(current);
  if (!isNew && !dryRun && isElsewhere && ageOf(before.since, now) >= REFUSED) {
    return { ...before, hadChoice, active: [current], ...stayAfterMove(before, dwell, now) };
  }
  return { ...before, hadChoice, active };
}

/** The sessions as the balancer takes them. One that just came is taken for an average one until it shows itself. */
function balancedSessions(
  { candidates, loads, steering: { dwell }, now }: BalanceRound,
  placed: readonly PathAssignment[],
): BalancedSession[] {
  const rates = estimateDemands(
    candidates.map(({ rate }, index) => ({ rate, path: placed[index]?.active[0] })),
    loads,
  );
  const sum = rates.reduce(addRate, NO_RATE);
  const average = mapRate((way) => sum[way] / Math.max(1, rates.length));
  return candidates.map(({ key, rule, choices }, index) => {
    const { active = [], since = now, first = now, moves = 0 } = placed[index] ?? {};
    const [path] = active;
    const least = maxRate(HEAD, ageOf(first, now) < dwell ? average : HEAD);
    return {
      id: key,
      rate: maxRate(rates[index] ?? NO_RATE, least),
      ...(rule.minRate && { minRate: rule.minRate }),
      ...(path !== undefined && { path }),
      // The balancer knows one dwell time for all.
      since: since > now ? since : Math.min(now, since + (minimumDwells({ moves }) - 1) * dwell),
      allowed: choices,
      ...(rule.cost && { cost: new Map(Object.entries(rule.cost)) }),
    };
  });
}

/**
 * The paths as the balancer takes them: what no move changes is that of others, seen and unseen. One whose capacity is not
 * known while another's is has some room, until its queue grows.
 */
function balancedPaths(loads: readonly PathLoad[], fixed: ReadonlyMap<string, Rate>): BalancedPath[] {
  const [first, ...others] = loads.flatMap(({ capacity }) => capacity ?? []);
  const smallest = first && others.reduce(minRate, first);
  return loads.map(({ name, capacity, carried, foreign }) => {
    const room =
      smallest &&
      maxRate(
        smallest,
        mapRate((way) => ROOM * carried[way]),
      );
    const counted = capacity ?? room;
    return {
      name,
      ...(counted && { capacity: counted }),
      other: addRate(foreign, fixed.get(name) ?? NO_RATE),
    };
  });
}

function byKey(
  candidates: readonly Candidate[],
  places: readonly PathAssignment[],
): Map<string, PathAssignment> {
  return new Map(candidates.map(({ key }, index) => [key, places[index] as PathAssignment]));
}
