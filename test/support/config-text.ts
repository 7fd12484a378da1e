import { parseConfig } from '../../src/config/parse.js';
import type { Config } from '../../src/config/config.js';
import { formatProblem } from '../../src/config/problem.js';

/** A config needs one server at least. */
export const SERVER = '[openvpn server]\n';

/** A server, and the paths `wifi` and `lte`. What follows is on line 6. */
export const PATHS = `${SERVER}[path wifi]\nprefix = 192.168.100.0/24\n[path lte]\nprefix = 192.168.200.0/24\n`;

/** @throws {Error} if the text has a mistake. */
export function parsed(text: string): Config {
  const result = parseConfig(text);
  if (!result.ok) throw new Error(result.problems.map((problem) => formatProblem('ini', problem)).join('\n'));
  return result.config;
}

/** `LINE: [SECTION]: MESSAGE` of each mistake in the text. */
export function mistakes(text: string): string[] {
  const result = parseConfig(text);
  return result.ok
    ? []
    : result.problems.map((problem) => formatProblem('ini', problem).replace(/^ini:? ?/, ''));
}
