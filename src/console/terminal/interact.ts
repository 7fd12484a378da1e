import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { styleText } from 'node:util';
import { LineSplitter, type TooLongError } from '../../util/lines.js';
import { printable } from '../../util/printable.js';
import { complete } from './completion.js';
import { connectToConsole } from './connect.js';
import { ConsoleUnreachable } from './console-error.js';
import { MAX_HISTORY_LINES, readHistory, saveHistory } from './history.js';
import { loadCompletionWords } from './load-completion-words.js';
import { MAX_ANSWER_BYTES } from './talk.js';

/** Options of {@link interact}; the defaults are standard input, standard output and {@link MAX_ANSWER_BYTES}. */
export interface InteractOptions {
  readonly input?: NodeJS.ReadStream | NodeJS.ReadableStream;
  readonly output?: NodeJS.WriteStream | NodeJS.WritableStream;
  /** Longest line that the console may send, bytes. */
  readonly most?: number;
}

/** How a conversation with a console ended. */
export interface Conversation {
  /** Whether an answer was an error, in a conversation that is not with a terminal. */
  readonly hasError: boolean;
  /** Whether the console ended it, although nobody asked for that: the daemon has stopped, or restarts. */
  readonly isLost: boolean;
}

/** Commands that end the conversation. */
const ENDINGS: ReadonlySet<string> = new Set(['exit', 'quit']);
/** OpenVPN's own answer to `help`, at the console of a server, does not have the commands of subflowd. */
const HELP_HINT = '(the commands of subflowd: mptcp help)';

/**
 * Connects a terminal to a console, with history, completion and colour. If the input is not a terminal, its lines are sent
 * and the answers printed. Resolves when the console has closed the connection.
 * @throws {ConsoleUnreachable} if there is no console, or if it sends a line that is too long.
 */
export async function interact(
  socketPath: string,
  { input = process.stdin, output = process.stdout, most = MAX_ANSWER_BYTES }: InteractOptions = {},
): Promise<Conversation> {
  const isInteractive = isTerminal(input) && isTerminal(output);
  const errorPrefix = 'no console at';
  const socket = await connectToConsole(socketPath, errorPrefix, true);
  return new Promise<Conversation>((resolve, reject) => {
    let hasError = false;
    let isLost = false;
    let isEnding = false;
    const splitter = new LineSplitter(most);
    const terminal = isInteractive ? createTerminal(input, output, socketPath) : createInterface({ input });
    const show = (line: string) => {
      // clears the line that is being typed; it is printed again below the new line
      if (isInteractive) output.write('\r\x1b[K');
      output.write(`${isInteractive ? coloured(line) : printable(line)}\n`);
      if (isInteractive) terminal.prompt(true);
    };
    socket.on('error', ({ message }) => {
      reject(new ConsoleUnreachable(`${errorPrefix} ${socketPath}: ${message}`, false));
    });
    socket.on('data', (chunk: Buffer) => {
      let lines: string[];
      try {
        lines = splitter.push(chunk);
      } catch (error) {
        reject(
          new ConsoleUnreachable(`the console ${socketPath} sent ${(error as TooLongError).message}`, false),
        );
        socket.destroy();
        terminal.close();
        return;
      }
      for (const line of lines) {
        // lines that begin with > are not part of an answer, so a script does not get them
        if (isInteractive || !line.startsWith('>')) show(line);
        hasError ||= !isInteractive && line.startsWith('ERROR:');
      }
    });
    socket.on('end', () => {
      isLost = !isEnding;
      terminal.close();
      socket.end();
    });
    socket.on('close', () => {
      if (isInteractive) output.write('\n');
      resolve({ hasError, isLost });
    });
    terminal.on('line', (line) => {
      const command = line.trim();
      isEnding ||= ENDINGS.has(command);
      if (isInteractive && command === 'help') output.write(`${HELP_HINT}\n`);
      socket.write(`${line}\n`);
      if (isInteractive) terminal.prompt();
    });
    // as in a shell: it drops a line that is being typed
    terminal.on('SIGINT', () => {
      if (terminal.line === '') {
        terminal.close();
        return;
      }
      output.write('^C\n');
      terminal.write(null, { ctrl: true, name: 'e' });
      terminal.write(null, { ctrl: true, name: 'u' });
    });
    // the end of the input; the console closes the connection after the last answer
    terminal.on('close', () => {
      isEnding = true;
      socket.end();
    });
    if (isInteractive) terminal.prompt();
  });
}

/** A line editor with history and completion. */
function createTerminal(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  socketPath: string,
): Interface {
  const historyFile = join(
    process.env.XDG_STATE_HOME ?? join(homedir(), '.local/state'),
    'subflowd/console-history',
  );
  return createInterface({
    input,
    output,
    history: readHistory(historyFile),
    historySize: MAX_HISTORY_LINES,
    prompt: '> ',
    completer: (line: string, done: (error: null, found: [string[], string]) => void) => {
      void complete(line, () => loadCompletionWords(socketPath)).then((found) => {
        done(null, found);
      });
    },
  }).on('history', (lines: string[]) => {
    saveHistory(historyFile, lines);
  });
}

function isTerminal(stream: NodeJS.ReadableStream | NodeJS.WritableStream): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}

function coloured(line: string): string {
  const text = printable(line);
  if (process.env.NO_COLOR) return text;
  if (line.startsWith('SUCCESS:')) return styleText('green', text);
  if (line.startsWith('ERROR:')) return styleText('red', text);
  return line.startsWith('>') ? styleText('cyan', text) : text;
}
