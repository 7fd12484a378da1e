import { clampRate, maxRate, NO_RATE, type Rate } from '../../model/rate.js';
import { assumedCapacities, canCarry } from '../measure/capacity.js';
import type { BalancedSession, BalanceInput } from './balance.js';
import type { Directions, DistributionInput } from './distribution.js';

/** The input of the balancer, with indices for sessions and paths. */
export interface IndexedInput extends Omit<DistributionInput, 'moves' | 'gain'> {
  /** In the order in which the balancer tries them: the largest first, compared with the capacity of all paths together. */
  readonly sessions: readonly BalancedSession[];
  /** By path, bit/s: the given capacity, or the assumed one if it is not known. */
  readonly capacities: readonly Rate[];
  /** By path, bit/s: the load of all sessions that are on it, and of others. */
  readonly loads: readonly Rate[];
  /** By session: how many paths it may use that can carry something. */
  readonly choices: Int32Array;
}

/**
 * Replaces names with indices, and invalid numbers with valid ones. A session's index is its place in the order of
 * {@link IndexedInput.sessions}.
 */
export function indexInput(input: Pick<BalanceInput, 'paths' | 'sessions'>): IndexedInput {
  const { paths } = input;
  const indices = new Map(paths.map(({ name }, index) => [name, index]));
  const pathOf = ({ path }: BalancedSession) => (path === undefined ? -1 : (indices.get(path) ?? -1));
  const fixed = directionsOf(paths.map(({ other }) => clampRate(other ?? NO_RATE)));
  const unsortedRates = input.sessions.map(plannedRate);
  const loads = loadsOn(fixed, directionsOf(unsortedRates), Int32Array.from(input.sessions.map(pathOf)));
  const capacities = assumedCapacities(
    paths.map(({ capacity }) => capacity),
    loads,
  );
  const capacity = directionsOf(capacities.map((capacity) => (canCarry(capacity) ? capacity : NO_RATE)));
  const order = largestFirst(unsortedRates, capacity);
  const sessions = order.map((index) => input.sessions[index] as BalancedSession);
  const rate = directionsOf(order.map((index) => unsortedRates[index] as Rate));

  const cost = new Float64Array(sessions.length * paths.length);
  const choices = new Int32Array(sessions.length);
  const origin = new Int32Array(sessions.length).fill(-1);
  sessions.forEach((session, index) => {
    const present = pathOf(session);
    let count = 0;
    for (const name of session.allowed) {
      const path = indices.get(name) ?? -1;
      // 0: it carries nothing, or no path has this name
      if (!((capacity.down[path] ?? 0) > 0)) continue;
      cost[index * paths.length + path] = costOf(session, name);
      count++;
      if (path === present) origin[index] = path;
    }
    choices[index] = count;
    // No move changes the load of a session without a choice.
    if (count === 0) addLoad(fixed, present, rate, index);
  });
  return { sessions, rate, capacity, fixed, cost, origin, capacities, loads, choices };
}

/** Indices of the rates, the largest first: in the direction in which a rate is the larger fraction of all capacity. */
function largestFirst(rates: readonly Rate[], capacity: Directions): number[] {
  const downUnit = 1 / capacity.down.reduce((sum, more) => sum + more, 0);
  const upUnit = 1 / capacity.up.reduce((sum, more) => sum + more, 0);
  const sizes = rates.map((rate) => Math.max(rate.down * downUnit, rate.up * upUnit));
  return rates.map((_, index) => index).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
}

/** The load of each path, bit/s. @param pathOf by session: its path; -1: none. */
export function loadsOn(fixed: Directions, rate: Directions, pathOf: Int32Array): Rate[] {
  const loads = { down: fixed.down.slice(), up: fixed.up.slice() };
  pathOf.forEach((path, session) => {
    addLoad(loads, path, rate, session);
  });
  return Array.from(loads.down, (down, path) => ({ down, up: loads.up[path] ?? 0 }));
}

/** Adds the rate of a session to the load of its path. */
function addLoad({ down, up }: Directions, path: number, rate: Directions, session: number): void {
  if (path < 0) return;
  down[path] = (down[path] ?? 0) + (rate.down[session] ?? 0);
  up[path] = (up[path] ?? 0) + (rate.up[session] ?? 0);
}

/** The same rates as two arrays. */
function directionsOf(rates: readonly Rate[]): Directions {
  const directions = { down: new Float64Array(rates.length), up: new Float64Array(rates.length) };
  rates.forEach(({ down, up }, index) => {
    directions.down[index] = down;
    directions.up[index] = up;
  });
  return directions;
}

/** The rate of a session, or what is reserved for it if that is more. */
function plannedRate({ rate, minRate }: BalancedSession): Rate {
  return minRate ? maxRate(clampRate(rate), clampRate(minRate)) : clampRate(rate);
}

function costOf({ cost }: BalancedSession, path: string): number {
  const given = cost?.get(path) ?? 1;
  return given > 0 && given < Infinity ? given : 1;
}
