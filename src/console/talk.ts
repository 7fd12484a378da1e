import { connect } from 'node:net';
import { LineSplitter } from '../lines.js';

/** The daemon said no: the text behind ERROR:. */
export class ConsoleRefusal extends Error {
  override readonly name = 'ConsoleRefusal';
}

/** Nobody serves the console. */
export class ConsoleUnreachable extends Error {
  override readonly name = 'ConsoleUnreachable';
}

/** 2,000 sessions of a few subflows are some megabytes on one line. */
const MAX_LINE = 256 * 1024 * 1024;

/**
 * Sends one command to a daemon's console and gives its answer: the lines before END, or the one behind SUCCESS:.
 * @throws {ConsoleRefusal} if the answer is an error; {ConsoleUnreachable} if no daemon answers within `timeoutMs`.
 */
export async function talk(
  socketPath: string,
  command: string,
  timeoutMs = 30_000,
): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const lines: string[] = [];
    const splitter = new LineSplitter(MAX_LINE);
    const finish = (act: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      act();
    };
    const fail = (reason: string) => {
      finish(() => {
        reject(
          new ConsoleUnreachable(
            `no answer from the console ${socketPath}: ${reason}; is the daemon running (subflowd run), and may you use its socket?`,
          ),
        );
      });
    };
    const timer = setTimeout(() => {
      fail(`nothing came for ${timeoutMs / 1000} s`);
    }, timeoutMs);
    socket.on('connect', () => socket.write(`${command}\n`));
    socket.on('error', (error) => {
      fail(error.message);
    });
    socket.on('close', () => {
      fail('it hung up');
    });
    socket.on('data', (chunk: Buffer) => {
      for (const line of splitter.push(chunk)) {
        if (line === 'END')
          finish(() => {
            resolve(lines);
          });
        else if (line.startsWith('SUCCESS: '))
          finish(() => {
            resolve([line.slice(9)]);
          });
        else if (line.startsWith('ERROR: '))
          finish(() => {
            reject(new ConsoleRefusal(line.slice(7)));
          });
        else if (!line.startsWith('>')) lines.push(line);
      }
    });
  });
}
