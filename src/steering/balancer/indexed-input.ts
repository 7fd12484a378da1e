import type { BalancedSession, BalanceInput } from './balance.js';
import { countedCapacities, isOpen } from '../measure/capacity.js';
import type { CrowdInput, Ways } from './crowd.js';
import { maxRate, NO_RATE, soundRate, type Rate } from '../../model/rate.js';

/** What is to be balanced, in numbers: sessions and paths are indices. */
export interface Counted extends Omit<CrowdInput, 'moves' | 'gain'> {
  /** The largest first, by what they use of all paths together: the order in which they are looked at. */
  readonly sessions: readonly BalancedSession[];
  /** By path, bit/s: as told, or as taken for one that is not known. */
  readonly capacities: readonly Rate[];
  /** By path, bit/s: what it is asked to carry by all sessions that are on it, and others. */
  readonly loads: readonly Rate[];
  /** By session: on how many open paths it may be. */
  readonly choices: Int32Array;
}

/** Makes indices of names, and sound numbers of what was measured or written. */
export function count(input: Pick<BalanceInput, 'paths' | 'sessions'>): Counted {
  const { paths } = input;
  const indices = new Map(paths.map(({ name }, index) => [name, index]));
  const indexOf = ({ path }: BalancedSession) => (path === undefined ? -1 : (indices.get(path) ?? -1));
  const fixed = waysOf(paths.map(({ other }) => soundRate(other ?? NO_RATE)));
  const unsorted = input.sessions.map(countedRate);
  const loads = loadsOn(fixed, waysOf(unsorted), Int32Array.from(input.sessions.map(indexOf)));
  const capacities = countedCapacities(
    paths.map(({ capacity }) => capacity),
    loads,
  );
  const capacity = waysOf(capacities.map((capacity) => (isOpen(capacity) ? capacity : NO_RATE)));
  const order = largestFirst(unsorted, capacity);
  const sessions = order.map((index) => input.sessions[index] as BalancedSession);
  const rate = waysOf(order.map((index) => unsorted[index] as Rate));

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

function largestFirst(rates: readonly Rate[], capacity: Ways): number[] {
  const down = 1 / capacity.down.reduce((sum, more) => sum + more, 0);
  const up = 1 / capacity.up.reduce((sum, more) => sum + more, 0);
  const sizes = rates.map((rate) => Math.max(rate.down * down, rate.up * up));
  return rates.map((_, index) => index).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
}

/** What each path is asked to carry, bit/s, if each session is at its path; -1: at none. */
export function loadsOn(fixed: Ways, rate: Ways, at: Int32Array): Rate[] {
  const loads = { down: fixed.down.slice(), up: fixed.up.slice() };
  at.forEach((path, session) => {
    add(loads, path, rate, session);
  });
  return Array.from(loads.down, (down, path) => ({ down, up: loads.up[path] ?? 0 }));
}

function add({ down, up }: Ways, path: number, rate: Ways, session: number): void {
  if (path < 0) return;
  down[path] = (down[path] ?? 0) + (rate.down[session] ?? 0);
  up[path] = (up[path] ?? 0) + (rate.up[session] ?? 0);
}

function waysOf(rates: readonly Rate[]): Ways {
  const ways = { down: new Float64Array(rates.length), up: new Float64Array(rates.length) };
  rates.forEach(({ down, up }, index) => {
    ways.down[index] = down;
    ways.up[index] = up;
  });
  return ways;
}

function countedRate({ rate, minRate }: BalancedSession): Rate {
  return minRate ? maxRate(soundRate(rate), soundRate(minRate)) : soundRate(rate);
}

function costOf({ cost }: BalancedSession, path: string): number {
  const told = cost?.get(path) ?? 1;
  return told > 0 && told < Infinity ? told : 1;
}
