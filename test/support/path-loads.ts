import type { PathLoad } from '../../src/model/path-load.js';
import { NO_RATE } from '../../src/model/rate.js';

const MBIT = 1e6;

/** The load of a path in Mbit/s down, without foreign traffic. It is congested if it carries its whole capacity. */
export function pathLoadOf(name: string, carried: number, capacity: number): PathLoad {
  return {
    name,
    carried: { down: carried * MBIT, up: 0 },
    capacity: { down: capacity * MBIT, up: capacity * MBIT },
    isLearnt: false,
    foreign: NO_RATE,
    isCongested: carried >= capacity,
    health: 'carries',
  };
}
