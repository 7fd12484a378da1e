import type { Decision, ServerFacts } from './facts.js';
import type { ServerSection } from './ini-text.js';

/** What one server contributes to a decision. */
export type Parts = Pick<
  Decision,
  'files' | 'newUnits' | 'consoleUsers' | 'obstacles' | 'notes' | 'nextSteps'
> & {
  readonly sections: readonly ServerSection[];
  /** The unit of the server that subflowd steers; absent: it has none. */
  readonly steeredUnit?: string;
};

/** Nothing. */
export function noParts(): Parts {
  return {
    files: [],
    newUnits: [],
    consoleUsers: [],
    obstacles: [],
    notes: [],
    nextSteps: [],
    sections: [],
  };
}

/** What a restart of a server costs; undefined if it does not run. */
export function restartCost({ name, isActive, clientAddresses }: ServerFacts): string | undefined {
  if (!isActive) return undefined;
  const count = clientAddresses.length;
  const who = count === 0 ? 'its clients are' : count === 1 ? 'its client is' : `its ${count} clients are`;
  return `server ${name} restarts: ${who} disconnected once, and reconnect by themselves`;
}
