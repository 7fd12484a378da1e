import { maxRate, minRate, clampRate, type Rate } from '../../model/rate.js';

/** The lowest capacity to assume if no capacity is known, bit/s. */
const MIN_ASSUMED: Rate = { down: 1e6, up: 1e6 };

/** A path's given capacity, or undefined if none is given or if it is not valid. */
export function validCapacity(capacity: Rate | undefined): Rate | undefined {
  return capacity && capacity.down >= 0 && capacity.up >= 0 ? clampRate(capacity) : undefined;
}

/** Whether a path can carry anything: at least 1 bit/s in each direction. */
export function canCarry(capacity: Rate): boolean {
  return capacity.down >= 1 && capacity.up >= 1;
}

/**
 * The capacity of each path, assumed where it is not known: the smallest known capacity, or the present load if that is
 * more. So such a path gets its share, but is not flooded before its capacity is learnt. If no capacity is known, all
 * paths count as equal.
 * @param capacities the given ones, one for each path, bit/s.
 * @param loads what each path carries now, bit/s.
 */
export function assumedCapacities(capacities: readonly (Rate | undefined)[], loads: readonly Rate[]): Rate[] {
  const known = capacities.map(validCapacity);
  const usable = known.filter((capacity) => capacity !== undefined).filter(canCarry);
  const [first, ...others] = usable;
  if (!first) {
    const equal = loads.reduce(maxRate, MIN_ASSUMED);
    return known.map((capacity) => capacity ?? equal);
  }
  const smallest = others.reduce(minRate, first);
  return known.map((capacity, path) => capacity ?? maxRate(smallest, loads[path] ?? smallest));
}
