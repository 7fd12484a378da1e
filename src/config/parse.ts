import { posix } from 'node:path';
import type { Config } from './config.js';
import { ConfigParser } from './config-parser.js';
import { parsePaths } from './parse-paths.js';
import { checkRejoins, parseRules } from './parse-rules.js';
import { checkConsoleAddresses } from './parse-server-console.js';
import { parseServers } from './parse-servers.js';
import { problemList } from './problem-list.js';
import type { ConfigProblem } from './problem.js';

/** A config, or everything that is wrong with its text, in the order of the file. */
export type ParseResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** The longest text that is parsed, characters. To parse more could block the daemon for seconds. */
export const MAX_TEXT_LENGTH = 1_048_576;

/**
 * Parses and checks the text of `subflowd.ini`. It reads no files, so it does not check whether the files and groups
 * that the text names exist.
 */
export function parseConfig(text: string): ParseResult {
  if (text.length > MAX_TEXT_LENGTH) {
    return { ok: false, problems: [{ message: `is larger than ${MAX_TEXT_LENGTH} characters` }] };
  }
  if (text.trim() === '') return { ok: false, problems: [{ message: 'the file is empty' }] };
  const parser = new ConfigParser(text);
  if (parser.isOverLimit) return { ok: false, problems: problemList(parser.problems) };
  const kernel = parser.valuesOfSingle('kernel');
  const { group, ...console } = parser.valuesOfSingle('console');
  const { 'dry-run': dryRun, 'max-subflows': maxSubflows, ...steering } = parser.valuesOfSingle('steering');
  const servers = parseServers(parser, posix.dirname(console.socket));
  checkConsoleAddresses(parser, console.socket, servers);
  const { paths, names } = parsePaths(parser);
  const rules = parseRules(parser, names);
  checkRejoins(
    parser,
    servers.some(({ management }) => management !== undefined),
  );
  if (parser.problems.length > 0) return { ok: false, problems: problemList(parser.problems) };
  return {
    ok: true,
    config: {
      servers,
      kernel,
      console: { ...console, ...(group !== undefined && { group }) },
      paths,
      ...rules,
      steering: { dryRun: dryRun === 'yes', maxSubflows, ...steering },
    },
  };
}
