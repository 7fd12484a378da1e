import { talk } from './talk.js';
import { withConsole } from './with-console.js';

/**
 * Sends one command to the daemon of a config file.
 * @param onNote receives what the daemon has to say besides the answer, one line each.
 * @returns the lines of the answer.
 * @throws {Error} as {@link talk} and {@link withConsole} do.
 */
export async function askDaemon(
  configFile: string,
  line: string,
  onNote: (text: string) => void,
): Promise<readonly string[]> {
  return withConsole(configFile, ({ own }) => talk(own, line, { onNote }));
}
