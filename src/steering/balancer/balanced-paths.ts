import type { PathLoad } from '../../model/path-load.js';
import { addRate, mapRate, maxRate, minRate, NO_RATE, type Rate } from '../../model/rate.js';
import { BALANCE_DEFAULTS, type BalancedPath, type BalancedSession } from './balance.js';
import { isFull } from './demand.js';
import { countedForeign } from './trial.js';

/** The lowest capacity to assume of a path whose queue has not grown, as a multiple of what it carries. */
const ASSUMED_HEADROOM = 1.25;
/** No path is tried. */
export const NOTHING_TRIED: ReadonlySet<string> = new Set();

/**
 * The paths as the input of the balancer. The load that no move changes is that of other sessions and of foreign
 * traffic. If only some capacities are known, a path without one has some headroom until its queue grows. While another
 * path is full, it has room for one more session of usual size: if that is wrong, its queue shows it in a second.
 */
export function balancedPaths(
  loads: readonly PathLoad[],
  fixed: ReadonlyMap<string, Rate>,
  sessions: readonly BalancedSession[],
  tried: ReadonlySet<string>,
): BalancedPath[] {
  const [first, ...others] = loads.flatMap(({ capacity }) => capacity ?? []);
  const smallest = first && others.reduce(minRate, first);
  const total = (some: readonly BalancedSession[]) =>
    some.reduce((sum, { rate }) => addRate(sum, rate), NO_RATE);
  const inUse = sessions.filter(({ rate }) => rate.down + rate.up >= BALANCE_DEFAULTS.idle);
  const inUseTotal = total(inUse);
  const usual = mapRate((direction) => inUseTotal[direction] / Math.max(1, inUse.length));
  const more = loads.some(isFull) ? usual : NO_RATE;
  const assumed = (name: string) => {
    if (!smallest) return undefined;
    const here = addRate(total(sessions.filter(({ path }) => path === name)), fixed.get(name) ?? NO_RATE);
    return maxRate(
      smallest,
      mapRate((direction) => ASSUMED_HEADROOM * (here[direction] + more[direction])),
    );
  };
  return loads.map((load) => {
    const { name, health } = load;
    if (health === 'dead') return { name, capacity: NO_RATE };
    const capacity = load.capacity ?? assumed(name);
    return {
      name,
      ...(capacity && { capacity }),
      other: addRate(countedForeign(load, tried), fixed.get(name) ?? NO_RATE),
    };
  });
}
