import { quoteWord } from '../../util/words.js';

/** A command of the command line that asks the daemon one thing and prints the answer. */
export interface DaemonCommand {
  /** The least and the greatest number of its arguments. */
  readonly arguments: readonly [least: number, most: number];
  /** The line for the console. */
  readonly line: (given: readonly string[], isJson: boolean) => string;
  /** Whether the arguments can be given; absent: they always can. */
  readonly accepts?: (given: readonly string[], isJson: boolean) => boolean;
}

/** The words for a client in a console command, also if its name looks like an option or a keyword. */
function clientWord(client: string): string {
  const word = quoteWord(client);
  return client === 'json' || client.startsWith('-') ? `-- ${word}` : word;
}

/** Each of these commands. The command line and the quick way past it use this table. */
export const DAEMON_COMMANDS = {
  status: {
    arguments: [0, 1],
    line: ([client], isJson) =>
      `mptcp status ${isJson ? 'json' : client === undefined ? '' : clientWord(client)}`,
    accepts: ([client], isJson) => !isJson || client === undefined,
  },
  paths: { arguments: [0, 0], line: (_given, isJson) => `mptcp paths${isJson ? ' json' : ''}` },
  rules: {
    arguments: [0, 1],
    line: ([reload = ''], isJson) => `mptcp rules ${isJson ? 'json' : reload}`,
    accepts: ([reload], isJson) => reload === undefined || (reload === 'reload' && !isJson),
  },
  explain: {
    arguments: [1, 1],
    line: ([client = ''], isJson) => `mptcp explain ${clientWord(client)}${isJson ? ' json' : ''}`,
  },
  primary: {
    arguments: [2, 2],
    line: ([client = '', path = '']) => `mptcp primary ${clientWord(client)} ${quoteWord(path)}`,
    accepts: (_given, isJson) => !isJson,
  },
} as const satisfies Readonly<Record<string, DaemonCommand>>;

/** The name of one of {@link DAEMON_COMMANDS}. */
export type DaemonCommandName = keyof typeof DAEMON_COMMANDS;
