import type { BalancedSession, BalanceInput } from './balance.js';
import { assumedCapacities, canCarry } from '../measure/capacity.js';
import type { DistributionInput, Directions } from './distribution.js';
import { maxRate, NO_RATE, clampRate, type Rate } from '../../model/rate.js';

/** The input of the balancer, with indices for sessions and paths. */
export interface IndexedInput extends Omit<DistributionInput, 'moves' | 'gain'> {
  /** The order in which the balancer tries them: the largest first, measured against the capacity of all paths. */
  readonly sessions: readonly BalancedSession[];
  /** By path, bit/s: the given capacity, or the assumed one if it is not known. */
  readonly capacities: readonly Rate[];
  /** By path, bit/s: the load of all sessions that are on it, and of others. */
  readonly loads: readonly Rate[];
  /** By session: how many paths it may use that can carry something. */
  readonly choices: Int32Array;
}

/** Replaces names with indices, and invalid numbers with valid ones. */
export function indexInput(input: Pick<BalanceInput, 'paths' | 'sessions'>): IndexedInput {
  const { paths } = input;
  const indices = new Map(paths.map(({ name }, index) => [name, index]));
  const indexOf = ({ path }: BalancedSession) => (path === undefined ? -1 : (indices.get(path) ?? -1));
  const fixed = directionsOf(paths.map(({ other }) => clampRate(other ?? NO_RATE)));
  const unsorted = input.sessions.map(plannedRate);
  const loads = loadsOn(fixed, directionsOf(unsorted), Int32Array.from(input.sessions.map(indexOf)));
  const capacities = assumedCapacities(
    paths.map(({ capacity }) => capacity),
    loads,
  );
  const capacity = directionsOf(capacities.map((capacity) => (canCarry(capacity) ? capacity : NO_RATE)));
  const order = largestFirst(unsorted, capacity);
  const sessions = order.map((index) => input.sessions[index] as BalancedSession);
  const rate = directionsOf(order.map((index) => unsorted[index] as Rate));

  const cost = new Float64Array(sessions.length * paths.length);
  const choices = new Int32Array(sessions.length);
  const origin = new Int32Array(sessions.length).fill(-1);
  sessions.forEach((session, index) => {
    const at = indexOf(session);
    let count = 0;
    for (const name of session.allowed) {
      const path = indices.get(name) ?? -1;
      if (!((capacity.down[path] ?? 0) > 0)) continue;
      cost[index * paths.length + path] = costOf(session, name);
      count++;
      if (path === at) origin[index] = path;
    }
    choices[index] = count;
    if (count === 0) add(fixed, at, rate, index);
  });
  return { sessions, rate, capacity, fixed, cost, origin, capacities, loads, choices };
}

function largestFirst(rates: readonly Rate[], capacity: Directions): number[] {
  const down = 1 / capacity.down.reduce((sum, more) => sum + more, 0);
  const up = 1 / capacity.up.reduce((sum, more) => sum + more, 0);
  const sizes = rates.map((rate) => Math.max(rate.down * down, rate.up * up));
  return rates.map((_, index) => index).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
}

/** The load of each path, bit/s. @param at by session, its path; -1: none. */
export function loadsOn(fixed: Directions, rate: Directions, at: Int32Array): Rate[] {
  const loads = { down: fixed.down.slice(), up: fixed.up.slice() };
  at.forEach((path, session) => {
    add(loads, path, rate, session);
  });
  return Array.from(loads.down, (down, path) => ({ down, up: loads.up[path] ?? 0 }));
}

function add({ down, up }: Directions, path: number, rate: Directions, session: number): void {
  if (path < 0) return;
  down[path] = (down[path] ?? 0) + (rate.down[session] ?? 0);
  up[path] = (up[path] ?? 0) + (rate.up[session] ?? 0);
}

function directionsOf(rates: readonly Rate[]): Directions {
  const directions = { down: new Float64Array(rates.length), up: new Float64Array(rates.length) };
  rates.forEach(({ down, up }, index) => {
    directions.down[index] = down;
    directions.up[index] = up;
  });
  return directions;
}

function plannedRate({ rate, minRate }: BalancedSession): Rate {
  return minRate ? maxRate(clampRate(rate), clampRate(minRate)) : clampRate(rate);
}

function costOf({ cost }: BalancedSession, path: string): number {
  const given = cost?.get(path) ?? 1;
  return given > 0 && given < Infinity ? given : 1;
}
