import { posix } from 'node:path';
import { readLines, type IniSection } from './lines.js';
import { readConfigText } from './config-text.js';
import { ConfigError } from './problem.js';

/** Where subflowd's own console is, unless `[console] socket` says otherwise. */
export const DEFAULT_CONSOLE_SOCKET = '/run/subflowd/console.sock';

/** Where the consoles of a daemon are. */
export interface ConsoleSockets {
  /** subflowd's own console. */
  readonly own: string;
  /** The consoles of the servers, by the names of their sections. Some of them may not exist. */
  readonly servers: ReadonlyMap<string, string>;
}

/**
 * Finds the consoles in a config file that may have mistakes, so that one mistake does not stop the commands that ask the
 * daemon. A file that cannot be read has the default console. It loads no other part of the parser, because the commands
 * must be quick.
 */
export async function readConsoleSockets(file: string): Promise<ConsoleSockets> {
  const sections = await readSections(file);
  const own =
    socketOf(
      sections.filter(({ kind }) => kind === 'console'),
      'socket',
    ) ?? DEFAULT_CONSOLE_SOCKET;
  const servers = sections
    .filter(({ kind }) => kind === 'openvpn')
    .map((section) => {
      const socket = socketOf([section], 'console') ?? posix.join(posix.dirname(own), `${section.name}.sock`);
      return [section.name, socket] as const;
    });
  return { own, servers: new Map(servers) };
}

async function readSections(file: string): Promise<readonly IniSection[]> {
  try {
    return readLines(await readConfigText(file)).sections;
  } catch (error) {
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

/** The last absolute path that has this key. */
function socketOf(sections: readonly IniSection[], key: string): string | undefined {
  return sections
    .flatMap(({ entries }) => entries)
    .findLast((entry) => entry.key === key && posix.isAbsolute(entry.value))?.value;
}
