import { timeText } from '../util/time-text.js';

/** The config file has mistakes, so an earlier config stays in force. */
export interface ConfigMistake {
  /** `FILE:LINE: [SECTION]: what is wrong`, one for each mistake. */
  readonly mistakes: readonly string[];
  /** When the config in force was read, Unix time in milliseconds. */
  readonly inForceSince: number;
}

/** Remembers whether the config file has mistakes, and since when the config in force is in force. */
export class ConfigHistory {
  #mistakes: readonly string[] | undefined;

  /** @param inForceSince when the first config was read, Unix time in milliseconds. */
  constructor(private inForceSince: number) {}

  addConfig(now: number): void {
    this.inForceSince = now;
    this.#mistakes = undefined;
  }

  addMistakes(mistakes: readonly string[]): void {
    this.#mistakes = mistakes;
  }

  /** Undefined while the file has no mistake. */
  mistake(): ConfigMistake | undefined {
    return this.#mistakes && { mistakes: this.#mistakes, inForceSince: this.inForceSince };
  }
}

/** What an admin is told before the answer to a command, one line. */
export function configMistakeText({
  mistakes: [first = '', ...others],
  inForceSince,
}: ConfigMistake): string {
  const more = others.length === 0 ? '' : ` (and ${others.length} more; run subflowd check)`;
  return `the config file has a mistake: ${first}${more}; the rules of ${timeText(inForceSince)} are in force`;
}
