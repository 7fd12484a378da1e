import type { Config } from './config.js';
import { readConfigText } from './config-text.js';
import { parseConfig } from './parse.js';
import { ConfigError } from './problem.js';

/**
 * Reads and checks a config file.
 * @throws {ConfigError} with all problems of the file, if it has any.
 */
export async function loadConfig(file: string): Promise<Config> {
  const result = parseConfig(await readConfigText(file));
  if (!result.ok) throw new ConfigError(file, result.problems);
  return result.config;
}
