import type { Choice } from '../choice.js';
import type { ModeDefinition } from './definition.js';
import { eachSession, MEASURED_MODE, type ChoiceState } from './measured-mode.js';

/** All paths are active together, and the kernel's scheduler distributes the packets. */
export const loadBalancing: ModeDefinition<ChoiceState<Choice>> = {
  ...MEASURED_MODE,
  ...eachSession<Choice>((before, { choices }, { now }) => ({
    active: choices,
    since: before?.since ?? now,
  })),
  moveTexts: () => ["from packet to packet, as the kernel's scheduler decides"],
};
