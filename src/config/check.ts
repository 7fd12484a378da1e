import type { Config } from './config.js';
import { hostWarnings } from './host-warnings.js';
import { loadConfig } from './load.js';
import { ConfigError, type ConfigProblem } from './problem.js';
import { configWarnings, formatWarning, type ConfigWarning } from './warnings.js';

/** The result of checking a config file; `config` is present if the file has no mistake. */
export interface ConfigReport {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
  readonly config?: Config;
}

/** Checks a config file for mistakes and warnings. @returns the result as data, and as text for people. */
export async function checkConfigFile(file: string): Promise<{ report: ConfigReport; text: string }> {
  try {
    const config = await loadConfig(file);
    const warnings = [...configWarnings(config), ...hostWarnings(config)];
    const lines = [`${file}: no mistake`, ...warnings.map((warning) => formatWarning(file, warning))];
    return { report: { file, problems: [], warnings, config }, text: lines.join('\n') };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { report: { file, problems: error.problems, warnings: [] }, text: error.message };
  }
}
