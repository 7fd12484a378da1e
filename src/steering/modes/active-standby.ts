import type { ModeDefinition } from './definition.js';

/** The first path of `primary` that the client has and that carries is primary. A change takes effect at once. */
export const activeStandby: ModeDefinition<undefined> = {
  usesMeasurements: false,
  initial: undefined,
  step: () => ({ state: undefined, choices: new Map() }),
  activePaths: (_session, { paths }) => paths.slice(0, 1),
  // the default mode, so the rule does not name it
  ruleText: ({ primary }) => (primary.length === 0 ? undefined : `primary = ${primary.join(', ')}`),
  ruleSentence: ({ primary }) =>
    primary.length === 0 ? 'asks for no path' : `wants ${primary.join(', else ')}`,
  decidedBy: ({ section }) => section,
  moveTexts: ({ missing }) =>
    missing.length === 0
      ? ['only if its rule changes, or its subflows end']
      : [`to ${missing.join(', else ')} as soon as the client has a subflow there`],
};
