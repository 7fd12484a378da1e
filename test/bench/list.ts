import { balanceBench } from './balance.js';
import type { Bench } from './bench.js';
import { consoleBench } from './console.js';
import { deathBench } from './death.js';
import { findBench } from './find.js';
import { guestBench } from './guest.js';
import { hookBench } from './hook.js';
import { netlinkBench } from './netlink.js';
import { guestReactionBench, reactionBench } from './reaction.js';
import { stormBench } from './storm.js';
import { strangersBench } from './strangers.js';
import { switchBench } from './switch.js';

/** Every benchmark, in the order in which they run. */
export const benches: readonly Bench[] = [
  switchBench,
  findBench,
  balanceBench,
  guestBench,
  netlinkBench,
  hookBench,
  consoleBench,
  reactionBench,
  guestReactionBench,
  deathBench,
  strangersBench,
  stormBench,
];
