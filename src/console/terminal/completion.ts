import type { Session } from '../../model/session.js';
import { quoteWord, splitTyped } from '../../util/words.js';
import { wordsForClients } from '../common/client-words.js';
import { DISPOSITIONS } from '../common/dispositions.js';
import { USAGES } from '../common/mptcp-commands.js';

/** The sessions and paths whose names can be completed. */
export interface CompletionWords {
  readonly sessions: readonly Session[];
  /** Names of paths. */
  readonly paths: readonly string[];
}

const COMMANDS = [...new Set(USAGES.map(({ verb }) => `mptcp ${verb}`)), ...DISPOSITIONS.keys(), 'exit'];

/**
 * Completes a line that is being typed at a console: commands and, in `mptcp` commands, clients and paths. Names are quoted
 * if necessary. If a client's common name has invisible characters, or also means another client, another name of the client
 * is offered.
 * @param load called only if names are needed.
 * @returns the completions, and the end of the line that they replace, as node:readline expects it.
 */
export async function complete(
  line: string,
  load: () => Promise<CompletionWords>,
): Promise<[string[], string]> {
  const { before, last, start } = splitTyped(line);
  const [first, verb, ...given] = before;
  const isParameter = first === 'mptcp' && verb !== undefined;
  const found = isParameter
    ? await completeParameter(verb, given, last, load)
    : COMMANDS.filter((command) => command.startsWith(line));
  return [found.length === 1 ? [`${found[0] ?? ''} `] : found, isParameter ? line.slice(start) : line];
}

/** @param given the finished words after the verb. @param last the beginning of the word that is being typed. */
async function completeParameter(
  verb: string,
  given: readonly string[],
  last: string,
  load: () => Promise<CompletionWords>,
): Promise<string[]> {
  const usages = USAGES.filter((usage) => usage.verb === verb);
  const literals = given.length === 0 ? usages.flatMap((usage) => usage.literals ?? []) : [];
  const index = given[0] === '--' ? given.length - 1 : given.length;
  const kinds = new Set(usages.map(({ names }) => names?.[index]));
  const fits = (word: string) => word.startsWith(last);
  if (!kinds.has('client') && !kinds.has('path')) return literals.filter(fits);
  const { sessions, paths } = await load();
  const names = kinds.has('client') ? wordsForClients(sessions) : [...paths, 'auto'];
  return [...literals.filter(fits), ...[...new Set(names)].filter(fits).map(quoteWord)];
}
