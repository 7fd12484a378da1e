import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { styleText } from 'node:util';
import { LineSplitter, type TooLongError } from '../../util/lines.js';
import { complete, type Known } from './completion.js';
import { MAX_HISTORY, readHistory, saveHistory } from './history.js';
import { printable } from '../../util/printable.js';
import type { DaemonStatus } from '../../api/status.js';
import { ConsoleUnreachable, reach } from './connect.js';
import { MAX_ANSWER, talk } from './talk.js';

/** Where it is typed, and how much is taken; what {@link interact} goes by unless it is told otherwise. */
export interface InteractOptions {
  readonly input?: NodeJS.ReadStream | NodeJS.ReadableStream;
  readonly output?: NodeJS.WriteStream | NodeJS.WritableStream;
  /** Bytes of a line that comes. */
  readonly most?: number;
}

/**
 * A console at a terminal, with history, completion and colour; where standard input is none, its lines are said and the
 * answers printed. Resolves when the console has ended it.
 * @throws {ConsoleUnreachable} if there is no console, or it sends a line that is too long.
 */
export async function interact(
  socketPath: string,
  { input = process.stdin, output = process.stdout, most = MAX_ANSWER }: InteractOptions = {},
): Promise<void> {
  const isTyped = isTerminal(input) && isTerminal(output);
  const historyFile = join(
    process.env.XDG_STATE_HOME ?? join(homedir(), '.local/state'),
    'subflowd/console-history',
  );
  const complaint = 'no console at';
  const socket = await reach(socketPath, complaint, true);
  await new Promise<void>((resolve, reject) => {
    const splitter = new LineSplitter(most);
    const typed = createInterface({
      input,
      ...(isTyped && { output, history: readHistory(historyFile), historySize: MAX_HISTORY, prompt: '> ' }),
      ...(isTyped && {
        completer: (line: string, done: (error: null, found: [string[], string]) => void) => {
          void complete(line, () => whatThereIs(socketPath)).then((found) => {
            done(null, found);
          });
        },
      }),
    });
    const show = (line: string) => {
      // what is being typed stays below
      if (isTyped) output.write('\r\x1b[K');
      output.write(`${isTyped ? coloured(line) : printable(line)}\n`);
      if (isTyped) typed.prompt(true);
    };
    socket.on('error', ({ message }) => {
      reject(new ConsoleUnreachable(`${complaint} ${socketPath}: ${message}`, false));
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
        typed.close();
        return;
      }
      for (const line of lines) {
        // a greeting, and what others cause, are nothing that was asked for
        if (isTyped || !line.startsWith('>')) show(line);
      }
    });
    socket.on('end', () => {
      typed.close();
      socket.end();
    });
    socket.on('close', () => {
      if (isTyped) output.write('\n');
      resolve();
    });
    typed.on('line', (line) => {
      socket.write(`${line}\n`);
      if (isTyped) typed.prompt();
    });
    typed.on('history', (lines) => {
      saveHistory(historyFile, lines);
    });
    typed.on('SIGINT', () => {
      typed.close();
    });
    // all is said: what is still to be answered comes before the end
    typed.on('close', () => socket.end());
    if (isTyped) typed.prompt();
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

async function whatThereIs(socketPath: string): Promise<Known> {
  try {
    const answer = (await talk(socketPath, 'mptcp status json', 5_000)).join('');
    const { sessions, paths } = JSON.parse(answer) as DaemonStatus;
    return { sessions: sessions.map(({ session }) => session), paths: paths.map(({ name }) => name) };
  } catch {
    return { sessions: [], paths: [] }; // the daemon is gone, which the console itself tells
  }
}
