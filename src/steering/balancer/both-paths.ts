import { fullness, type PathLoad } from '../../model/path-load.js';
import { addRate, NO_RATE, type Rate } from '../../model/rate.js';
import type { SubflowMeter } from '../measure/meter.js';
import type { Rule } from '../rule.js';
import { ageOf, minimumDwells, stayAfterArrival, stayAfterMove, type Stay } from '../stay.js';
import { isFull } from './demand.js';
import { fullFor, type FullTimes } from './full-paths.js';

/** A session of `balance` that may use two paths at once. */
export interface BothCandidate {
  readonly rule: Pick<Rule, 'both'>;
  /** The paths that it can use, at least one. */
  readonly choices: readonly string[];
  /** What it uses over all its subflows, bit/s. */
  readonly rate: Rate;
  readonly meters: readonly Pick<SubflowMeter, 'path' | 'rate'>[];
}

/** The part of an assignment that says which paths are active. */
export interface BothAssignment {
  /** The path that it was assigned to, and the second one while it has that. */
  readonly active: readonly string[];
  /** When it got or lost its second path last, and how often; absent: never. */
  readonly second?: Stay;
}

/** What is kept from one round to the next. */
export interface BothState {
  /** When a session got or lost its second path last, milliseconds of a monotonic clock. */
  readonly changedAt: number;
}

/** The state before the first round. */
export const NO_SECOND_PATHS: BothState = { changedAt: -Infinity };

/** Milliseconds for which a path must have been full: moves come first, because they cost no second radio. */
const FULL_FOR_MS = 2000;
/** Milliseconds between two changes, so that each is measured before the next. */
const PAUSE_MS = 1000;
/** The shortest time that a session keeps its second path, milliseconds. */
const LEAST_MS = 3000;
/** A second path must be less full than this; 1 is full. */
const ROOM_BELOW = 0.8;
/** A session loses its second path if its first one stays less full than this with all of its traffic; 1 is full. */
const FITS_BELOW = 0.75;
/** Foreign traffic above this fraction of the capacity counts as others; what is below it can be headers. */
const OTHERS_FROM = 0.15;
/** Bit/s, the sum of both directions. Below this, a session needs no second path. */
const IDLE = 8_000;

/** One round. @param hasMoved whether the balancer moved a session in this round. */
export function stepBothPaths<A extends BothAssignment>(
  before: BothState,
  { candidates, assignments, loads, fullTimes, dwell, now, hasMoved }: BothRound<A>,
): { readonly state: BothState; readonly assignments: readonly A[] } {
  const wasFull = (path: string | undefined) => (fullFor(fullTimes, path, now) ?? -1) >= FULL_FOR_MS;
  const loadOf = (path: string | undefined) => loads.find(({ name }) => name === path);
  const isUsedByOthers = (path: string | undefined) => {
    const { foreign = NO_RATE, capacity } = loadOf(path) ?? {};
    const share = capacity ? Math.max(foreign.down / capacity.down, foreign.up / capacity.up) : 0;
    return share > OTHERS_FROM || assignments.some(({ active }) => active[0] === path);
  };

  const losers = indices(assignments).filter((index) => {
    const { active = [], second } = assignments[index] ?? {};
    const candidate = candidates[index];
    if (active.length < 2 || !candidate) return false;
    if (candidate.rule.both !== 'when-full') return true;
    if (second && ageOf(second.since, now) < LEAST_MS) return false;
    return (
      fitsOnFirst(candidate, active, loadOf(active[0])) || (wasFull(active[1]) && isUsedByOthers(active[1]))
    );
  });
  const change = (index: number, active: readonly string[]) =>
    assignments.map((one, at) =>
      at === index ? { ...one, active, second: stayAfter(one.second, dwell, now) } : one,
    );
  const [loser] = losers;
  if (loser !== undefined) {
    const active = assignments[loser]?.active.slice(0, 1) ?? [];
    return { state: { changedAt: now }, assignments: change(loser, active) };
  }
  if (hasMoved || ageOf(before.changedAt, now) < PAUSE_MS) return { state: before, assignments };
  const winners = indices(assignments).flatMap((index) => {
    const { active = [], second } = assignments[index] ?? {};
    const candidate = candidates[index];
    if (candidate?.rule.both !== 'when-full' || active.length !== 1 || !wasFull(active[0])) return [];
    if (second && ageOf(second.since, now) < minimumDwells(second) * dwell) return [];
    const path = emptiest(candidate.choices.filter((name) => name !== active[0]).map(loadOf));
    const size = candidate.rate.down + candidate.rate.up;
    return path === undefined || size < IDLE ? [] : [{ index, size, active: [...active, path] }];
  });
  const [first, ...others] = winners;
  if (!first) return { state: before, assignments };
  const largest = others.reduce((most, one) => (one.size > most.size ? one : most), first);
  return { state: { changedAt: now }, assignments: change(largest.index, largest.active) };
}

/** The input of one round. */
export interface BothRound<A extends BothAssignment> {
  readonly candidates: readonly BothCandidate[];
  /** In the order of the candidates. */
  readonly assignments: readonly A[];
  readonly loads: readonly PathLoad[];
  readonly fullTimes: FullTimes;
  /** Milliseconds; the shortest time from losing the second path until getting it again. */
  readonly dwell: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
  readonly hasMoved: boolean;
}

/** By the path's name: what sessions with two paths use there, bit/s. */
export function carriedByBoth(
  candidates: readonly BothCandidate[],
  assignments: readonly BothAssignment[],
): ReadonlyMap<string, Rate> {
  const carried = new Map<string, Rate>();
  candidates.forEach(({ meters }, index) => {
    if ((assignments[index]?.active.length ?? 0) < 2) return;
    for (const { path = '', rate = NO_RATE } of meters)
      carried.set(path, addRate(carried.get(path) ?? NO_RATE, rate));
  });
  return carried;
}

/** Whether the first path has room for all that the session uses; one that is idle fits everywhere. */
function fitsOnFirst(
  { rate, meters }: BothCandidate,
  [, secondPath]: readonly string[],
  first: PathLoad | undefined,
): boolean {
  if (rate.down + rate.up < IDLE || !first) return true;
  if (isFull(first)) return false;
  const onSecond = meters.reduce(
    (sum, one) => (one.path === secondPath ? addRate(sum, one.rate ?? NO_RATE) : sum),
    NO_RATE,
  );
  return (fullness(first, onSecond) ?? 1) < FITS_BELOW;
}

/** The name of the path with the most room; undefined: none has room. */
function emptiest(loads: readonly (PathLoad | undefined)[]): string | undefined {
  const withRoom = loads.flatMap((load) => {
    const full = load && (fullness(load) ?? 0);
    return load && full !== undefined && !isFull(load) && full < ROOM_BELOW
      ? [{ name: load.name, full }]
      : [];
  });
  const [first, ...others] = withRoom;
  return first && others.reduce((best, one) => (one.full < best.full ? one : best), first).name;
}

function stayAfter(before: Stay | undefined, dwell: number, now: number): Stay {
  return before ? stayAfterMove(before, dwell, now) : stayAfterArrival(now);
}

function indices(list: readonly unknown[]): number[] {
  return list.map((_, index) => index);
}
