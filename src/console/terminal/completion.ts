import type { Session } from '../../model/session.js';
import { wordsForClients } from '../common/client-words.js';
import { COMMANDS } from '../common/mptcp-commands.js';
import { DISPOSITIONS } from '../common/dispositions.js';
import { quoteWord, splitTyped } from '../../util/words.js';

/** What there is to be named. */
export interface Known {
  readonly sessions: readonly Session[];
  /** Names of paths. */
  readonly paths: readonly string[];
}

const OURS = [...new Set(COMMANDS.map(([command]) => /^mptcp \w+/.exec(command)?.[0] ?? ''))];

/** Words that our commands take as they stand, by command: `auth`, `off`; not those in capitals, which stand for others. */
const LITERALS = new Map<string, string[]>();
for (const [command] of COMMANDS) {
  const [, verb = '', words = ''] = /^mptcp (\w+) \[?([a-z|]+)/.exec(command) ?? [];
  if (words !== '') LITERALS.set(verb, [...(LITERALS.get(verb) ?? []), ...words.split('|')]);
}

/**
 * Completes what is typed at a console: commands, and in ours the clients and paths that there are, quoted where they have
 * to be. A client whose name is not seen as it is, or means another client as well, is offered by another of its names.
 * @param ask is asked only where names are wanted.
 * @returns what fits, and the end of the line that it stands for, as node:readline wants it.
 */
export async function complete(line: string, ask: () => Promise<Known>): Promise<[string[], string]> {
  const { before, last, start } = splitTyped(line);
  const [first, verb, ...given] = before;
  let fit: string[];
  let typed = line.slice(start);
  if (first === 'mptcp' && verb !== undefined) {
    const place = given[0] === '--' ? given.length - 1 : given.length;
    const literals =
      given.length === 0 ? (LITERALS.get(verb) ?? []).filter((each) => each.startsWith(last)) : [];
    const names = /^(?:status|primary|explain)$/.test(verb)
      ? await wordsAt(place, verb === 'primary', ask, last)
      : [];
    fit = [...literals, ...names];
  } else {
    typed = line;
    fit = [...OURS, ...DISPOSITIONS.keys(), 'exit'].filter((each) => each.startsWith(line));
  }
  return [fit.length === 1 ? [`${fit[0] ?? ''} `] : fit, typed];
}

async function wordsAt(
  place: number,
  takesPath: boolean,
  ask: () => Promise<Known>,
  last: string,
): Promise<string[]> {
  if (place > (takesPath ? 1 : 0)) return [];
  const { sessions, paths } = await ask();
  const words = place === 0 ? wordsForClients(sessions) : [...paths, 'auto'];
  return [...new Set(words)].filter((each) => each.startsWith(last)).map(quoteWord);
}
