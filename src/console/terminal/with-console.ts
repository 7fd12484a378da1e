import { readConsoleSockets, type ConsoleSockets } from '../../config/console-sockets.js';
import { ConsoleUnreachable } from './console-error.js';

/**
 * Uses a console that the config file names. The daemon may run although the file has a mistake.
 * @throws {ConfigError} with the mistakes of the file, if it has any and no daemon runs.
 */
export async function withConsole<T>(
  configFile: string,
  use: (sockets: ConsoleSockets) => Promise<T>,
): Promise<T> {
  try {
    return await use(await readConsoleSockets(configFile));
  } catch (error) {
    if (error instanceof ConsoleUnreachable && error.isAbsent) {
      // Only now, because it takes longer than the rest of the command.
      const { loadConfig } = await import('../../config/load.js');
      await loadConfig(configFile);
    }
    throw error;
  }
}
