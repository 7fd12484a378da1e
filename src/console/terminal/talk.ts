import { LineSplitter } from '../../util/lines.js';
import { connectToConsole } from './connect.js';
import { ConsoleRefusal, ConsoleUnreachable } from './console-error.js';

/** Longest answer, bytes. The JSON of 2,000 sessions with a few subflows is one line of some megabytes. */
export const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** How a line begins that has something to say besides the answer. */
const NOTE = '>NOTE:';

/** Options of {@link talk}. */
export interface TalkOptions {
  /** Longest wait for the answer, milliseconds; 30 s by default. */
  readonly timeoutMs?: number;
  /** Longest answer, bytes; {@link MAX_ANSWER_BYTES} by default. */
  readonly maxBytes?: number;
  /** Receives what the daemon has to say besides the answer, one line each. */
  readonly onNote?: (text: string) => void;
}

/**
 * Sends one command to a daemon's console and returns its answer: the lines before END, or the text after SUCCESS:.
 * @throws {ConsoleRefusal} if the answer is an error; {ConsoleUnreachable} if no daemon answers within `timeoutMs`
 * milliseconds, or if the answer is longer than `maxBytes`.
 */
export async function talk(
  socketPath: string,
  command: string,
  { timeoutMs = 30_000, maxBytes = MAX_ANSWER_BYTES, onNote }: TalkOptions = {},
): Promise<readonly string[]> {
  const errorPrefix = 'no answer from the daemon at its console';
  const socket = await connectToConsole(socketPath, errorPrefix);
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    const splitter = new LineSplitter(maxBytes);
    let bytes = 0;
    const disconnect = () => {
      clearTimeout(timer);
      socket.destroy();
    };
    const fail = (reason: string) => {
      disconnect();
      reject(new ConsoleUnreachable(`${errorPrefix} ${socketPath}: ${reason}`, false));
    };
    const timer = setTimeout(() => {
      fail(`none came within ${timeoutMs / 1000} s; restart it (systemctl restart subflowd)`);
    }, timeoutMs);
    socket.on('error', ({ message }) => {
      fail(message);
    });
    socket.on('close', () => {
      fail('it closed the connection; try again');
    });
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        fail(`its answer is longer than ${maxBytes} bytes`);
        return;
      }
      for (const line of splitter.push(chunk)) {
        const end = endOf(line);
        if (end !== undefined) {
          disconnect();
          if (end.refusal !== undefined) reject(new ConsoleRefusal(end.refusal));
          else resolve(end.success === undefined ? lines : [end.success]);
          return;
        }
        if (line.startsWith(NOTE)) onNote?.(line.slice(NOTE.length));
        // not another real-time message
        else if (!line.startsWith('>')) lines.push(line);
      }
    });
    socket.write(`${command}\n`);
  });
}

/** Reads a line that ends an answer; undefined for any other line. */
function endOf(line: string): { refusal?: string; success?: string } | undefined {
  if (line === 'END') return {};
  if (line.startsWith('SUCCESS: ')) return { success: line.slice('SUCCESS: '.length) };
  if (line.startsWith('ERROR: ')) return { refusal: line.slice('ERROR: '.length) };
  return undefined;
}
