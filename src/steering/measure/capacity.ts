import { maxRate, minRate, soundRate, type Rate } from '../../model/rate.js';

/** What a path is taken for at least, bit/s each way, that is not known and next to which no other is. */
const LEAST: Rate = { down: 1e6, up: 1e6 };

/** A path's capacity as told; undefined: it is not known. */
export function validCapacity(capacity: Rate | undefined): Rate | undefined {
  return capacity && capacity.down >= 0 && capacity.up >= 0 ? soundRate(capacity) : undefined;
}

/** Whether a path can carry anything at all: 1 bit/s each way. */
export function canCarry(capacity: Rate): boolean {
  return capacity.down >= 1 && capacity.up >= 1;
}

/**
 * The capacities to count with. A path whose own is not known is taken for the smallest that is known, and for what it
 * carries now if that is more: it gets its share, but is not flooded before it has shown what it can. Where none is
 * known, all are taken for alike.
 * @param capacities as told, one for each path, bit/s.
 * @param loads what each path carries now, bit/s.
 */
export function assumedCapacities(capacities: readonly (Rate | undefined)[], loads: readonly Rate[]): Rate[] {
  const known = capacities.map(validCapacity);
  const open = known.filter((capacity) => capacity !== undefined).filter(canCarry);
  const [first, ...others] = open;
  if (!first) {
    const alike = loads.reduce(maxRate, LEAST);
    return known.map((capacity) => capacity ?? alike);
  }
  const smallest = others.reduce(minRate, first);
  return known.map((capacity, path) => capacity ?? maxRate(smallest, loads[path] ?? smallest));
}
