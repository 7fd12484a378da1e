import { DEFAULT_CONFIG_FILE } from './config/config-text.js';
import { readConsoleSockets } from './config/console-sockets.js';
import { ConsoleUnreachable } from './console/terminal/console-error.js';
import { DAEMON_COMMANDS, type DaemonCommand } from './console/terminal/daemon-commands.js';
import { talk } from './console/terminal/talk.js';
import { endWithReader, fail, print, printNote } from './output.js';
import { printableJson } from './util/printable.js';
import { VERSION } from './version.js';

/** A command line that needs neither the parser of the command line nor that of the config. */
export interface QuickCommand {
  readonly configFile: string;
  /** The line for the daemon's console. */
  readonly line: string;
  readonly isJson: boolean;
}

/**
 * Reads the plain forms of a command that asks the daemon, such as `status --json -c FILE`.
 * @param words the words after the name of the program.
 * @returns undefined for everything else, which the full command line has to read: help, mistakes, names after `--`.
 */
export function readQuickCommand([verb = '', ...words]: readonly string[]): QuickCommand | undefined {
  if (!Object.hasOwn(DAEMON_COMMANDS, verb)) return undefined;
  const command: DaemonCommand = DAEMON_COMMANDS[verb as keyof typeof DAEMON_COMMANDS];
  const given: string[] = [];
  let configFile = DEFAULT_CONFIG_FILE;
  let isJson = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--json') isJson = true;
    else if (word === '-c' || word === '--config') {
      const file = words[++at];
      if (file === undefined || file.startsWith('-')) return undefined;
      configFile = file;
    } else if (word.startsWith('-') || /[\r\n]/.test(word)) return undefined;
    else given.push(word);
  }
  const [least, most] = command.arguments;
  if (given.length < least || given.length > most) return undefined;
  if (command.accepts?.(given, isJson) === false) return undefined;
  return { configFile, line: command.line(given, isJson), isJson };
}

/**
 * Answers `--version` and the commands of {@link readQuickCommand}, and prints the answer.
 * @returns false if the full command line has to do it: for any other command, and if no daemon runs.
 */
export async function answerQuickly(words: readonly string[]): Promise<boolean> {
  if (words.length === 1 && (words[0] === '--version' || words[0] === '-V')) {
    print(VERSION);
    return true;
  }
  const command = readQuickCommand(words);
  if (command === undefined) return false;
  endWithReader();
  try {
    const { own } = await readConsoleSockets(command.configFile);
    const lines = await talk(own, command.line, { onNote: printNote });
    print(command.isJson ? printableJson(JSON.parse(lines.join('')), 2) : lines.join('\n'));
  } catch (error) {
    // Nothing was sent. The full command line then also reports the mistakes of the config.
    if (error instanceof ConsoleUnreachable && error.isAbsent) return false;
    fail(error);
  }
  return true;
}
