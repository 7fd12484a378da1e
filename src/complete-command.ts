import type { Argument, Command, Option } from 'commander';
import { DEFAULT_CONFIG_FILE } from './config/config-text.js';
import { readConsoleSockets } from './config/console-sockets.js';
import { wordsForClients } from './console/common/client-words.js';
import { loadCompletionWords } from './console/terminal/load-completion-words.js';

/** What stands for the names of files, which the shell completes. */
const FILES = ':file';

/**
 * Completes a command line of the shell.
 * @param program the whole command line, whose commands, options and arguments are offered.
 * @param words the words after the name of the program; the last one is being typed, and can be empty.
 * @returns the words that can stand there, or `:file`. Clients and paths come from the daemon.
 */
export async function completeShell(program: Command, words: readonly string[]): Promise<string[]> {
  const [verb = '', ...rest] = words;
  const visible = program.commands.map((command) => command.name()).filter((name) => name !== 'complete');
  if (words.length <= 1) return [...visible, 'help', '--help', '--version'].filter(startsWith(verb));
  if (verb === 'help') return words.length === 2 ? visible.filter(startsWith(rest[0] ?? '')) : [];
  const command = program.commands.find((each) => each.name() === verb);
  if (command === undefined) return [];
  const last = rest.at(-1) ?? '';
  const before = readWords(command, rest.slice(0, -1));
  const wanted = before.option;
  if (wanted) return wanted.argChoices?.filter(startsWith(last)) ?? [FILES];
  const options = before.hasDashes || !last.startsWith('-') ? [] : optionNames(command);
  const argument = command.registeredArguments[before.given];
  const names = argument ? await namesOf(argument, before.configFile) : [];
  return [...options, ...names].filter(startsWith(last));
}

function startsWith(beginning: string): (word: string) => boolean {
  return (word) => word.startsWith(beginning);
}

function optionNames(command: Command): string[] {
  return [...command.options.flatMap(({ long }) => long ?? []), '--help'];
}

/** What the words before the one that is being typed say. */
interface WordsBefore {
  /** The number of arguments. */
  readonly given: number;
  readonly hasDashes: boolean;
  readonly configFile: string;
  /** The option whose value is being typed. */
  readonly option: Option | undefined;
}

function readWords(command: Command, words: readonly string[]): WordsBefore {
  let given = 0;
  let hasDashes = false;
  let configFile = DEFAULT_CONFIG_FILE;
  let option: Option | undefined;
  for (const word of words) {
    if (option) {
      if (option.long === '--config') configFile = word;
      option = undefined;
    } else if (hasDashes || !word.startsWith('-')) given += 1;
    else if (word === '--') hasDashes = true;
    else
      option = command.options.find((each) => (each.long === word || each.short === word) && each.required);
  }
  return { given, hasDashes, configFile, option };
}

/** The words for an argument, by its name; none if the daemon does not answer. */
async function namesOf(argument: Argument, configFile: string): Promise<readonly string[]> {
  const name = argument.name();
  if (name === 'reload') return ['reload'];
  const { own, servers } = await readConsoleSockets(configFile);
  if (name === 'server') return [...servers.keys()];
  const { sessions, paths } = await loadCompletionWords(own);
  if (name === 'client') return wordsForClients(sessions);
  return name === 'path' ? [...paths, 'auto'] : [];
}
