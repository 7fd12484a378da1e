import type { Choice } from '../choice.js';
import { keysText } from './texts.js';
import type { ModeDefinition, ModeRound, ModeSession } from './definition.js';

/** The members that are the same in all modes that choose by measurements. */
export const MEASURED_MODE = {
  usesMeasurements: true,
  activePaths: ({ placed }, _usable, choice) =>
    choice?.active.filter((name) => placed.some(({ path }) => path === name)) ?? [],
  ruleText: keysText,
  ruleSentence: (rule) => `has ${keysText(rule)}`,
  decidedBy: ({ mode, section }) => `${mode} of ${section}`,
} as const satisfies Partial<ModeDefinition<unknown>>;

/** The choices of a mode, by `sessionKey`. */
export type ChoiceState<C extends Choice> = ReadonlyMap<string, C>;

/**
 * The state and the step of a mode that chooses for each session by itself. The state is the last choice of each
 * session; the choice of a session that is gone, or that has another mode now, is dropped.
 * @param choose makes the choice of one session, from the last one; undefined: its first.
 */
export function eachSession<C extends Choice>(
  choose: (before: C | undefined, session: ModeSession, round: ModeRound) => C,
): Pick<ModeDefinition<ChoiceState<C>>, 'initial' | 'step'> {
  return {
    initial: new Map(),
    step(before, sessions, round) {
      const choices = new Map(
        sessions.map((session) => [session.key, choose(before.get(session.key), session, round)]),
      );
      return { state: choices, choices };
    },
  };
}
