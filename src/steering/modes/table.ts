import type { Mode } from '../../model/mode.js';
import { activeStandby } from './active-standby.js';
import { balanceMode } from './balance.js';
import type { ModeDefinition } from './definition.js';
import { loadBalancing } from './load-balancing.js';
import { priorityBased } from './priority-based.js';
import { smallestDelay } from './smallest-delay.js';

const definitions = {
  'active-standby': activeStandby,
  'smallest-delay': smallestDelay,
  'priority-based': priorityBased,
  'load-balancing': loadBalancing,
  balance: balanceMode,
} satisfies Readonly<Record<Mode, ModeDefinition<unknown>>>;

/** The state of each mode, by its own type. A mode is given only its own. */
export type ModeStates = { readonly [M in Mode]: (typeof definitions)[M]['initial'] };

/** Every mode. A mode whose name is in model/mode.ts and whose line is missing here does not compile. */
export const MODE_TABLE: { readonly [M in Mode]: ModeDefinition<ModeStates[M]> } = definitions;
