import type { Config } from './config.js';
import { readConfigText } from './config-text.js';
import { parseConfig } from './parse.js';
import { ConfigError } from './problem.js';

/** A config and its text, or the mistake of the file. */
export type ReadResult =
  | { readonly text: string; readonly config: Config }
  /** `isUnread`: the file could not be read, so its content may be right. */
  | { readonly error: ConfigError; readonly isUnread: boolean };

/** Reads and parses a config file. */
export async function readConfig(file: string): Promise<ReadResult> {
  try {
    const text = await readConfigText(file);
    const result = parseConfig(text);
    return result.ok
      ? { text, config: result.config }
      : { error: new ConfigError(file, result.problems), isUnread: false };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { error, isUnread: true };
  }
}
