import { LineSplitter } from '../../util/lines.js';
import { ConsoleUnreachable, reach } from './connect.js';

/** The daemon said no: the text behind ERROR:. */
export class ConsoleRefusal extends Error {
  override readonly name = 'ConsoleRefusal';
}

/** Bytes of a whole answer: 2,000 sessions of a few subflows are some megabytes, as JSON on one line. */
export const MAX_ANSWER = 256 * 1024 * 1024;

/**
 * Sends one command to a daemon's console and gives its answer: the lines before END, or the one behind SUCCESS:.
 * @throws {ConsoleRefusal} if the answer is an error; {ConsoleUnreachable} if no daemon answers within `timeoutMs`, or
 * with more than `most` bytes.
 */
export async function talk(
  socketPath: string,
  command: string,
  timeoutMs = 30_000,
  most = MAX_ANSWER,
): Promise<readonly string[]> {
  const complaint = 'no answer from the daemon at its console';
  const socket = await reach(socketPath, complaint);
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    const splitter = new LineSplitter(most);
    let bytes = 0;
    const finish = (act: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      act();
    };
    const fail = (reason: string) => {
      finish(() => {
        reject(new ConsoleUnreachable(`${complaint} ${socketPath}: ${reason}`, false));
      });
    };
    const timer = setTimeout(() => {
      fail(`none came within ${timeoutMs / 1000} s; restart it (systemctl restart subflowd)`);
    }, timeoutMs);
    socket.on('error', ({ message }) => {
      fail(message);
    });
    socket.on('close', () => {
      fail('it hung up; ask again');
    });
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > most) {
        fail(`its answer is longer than ${most} bytes`);
        return;
      }
      for (const line of splitter.push(chunk)) {
        const end = endOf(line);
        if (end !== undefined) {
          finish(() => {
            if (end.refusal !== undefined) reject(new ConsoleRefusal(end.refusal));
            else resolve(end.success === undefined ? lines : [end.success]);
          });
          return;
        }
        if (!line.startsWith('>')) lines.push(line);
      }
    });
    socket.write(`${command}\n`);
  });
}

/** What a line says that ends an answer; undefined for any other line. */
function endOf(line: string): { refusal?: string; success?: string } | undefined {
  if (line === 'END') return {};
  if (line.startsWith('SUCCESS: ')) return { success: line.slice('SUCCESS: '.length) };
  if (line.startsWith('ERROR: ')) return { refusal: line.slice('ERROR: '.length) };
  return undefined;
}
