import { LineSplitter } from '../../util/lines.js';
import { connectToConsole } from './connect.js';
import { ConsoleUnreachable } from './console-error.js';

/** Longest line, bytes. */
export const MAX_LINE_BYTES = 64 * 1024;

/**
 * Sends `mptcp watch` to a console and passes each report on, without `>MPTCP:`, until the connection ends.
 * @throws {ConsoleUnreachable} if there is no console, or when its connection ends.
 */
export async function follow(
  socketPath: string,
  onReport: (line: string) => void,
  isJson = false,
): Promise<void> {
  const errorPrefix = 'no reports from the daemon at its console';
  const socket = await connectToConsole(socketPath, errorPrefix);
  await new Promise<void>((_resolve, reject) => {
    const splitter = new LineSplitter(MAX_LINE_BYTES);
    const fail = (reason: string) => {
      socket.destroy();
      reject(new ConsoleUnreachable(`${errorPrefix} ${socketPath}: ${reason}`, false));
    };
    socket.on('error', ({ message }) => {
      fail(message);
    });
    socket.on('close', () => {
      fail('it closed the connection; start it (systemctl start subflowd), and watch again');
    });
    socket.on('data', (chunk: Buffer) => {
      let lines: string[];
      try {
        lines = splitter.push(chunk);
      } catch {
        fail(`it sent a line longer than ${MAX_LINE_BYTES} bytes`);
        return;
      }
      for (const line of lines) {
        if (line.startsWith('>MPTCP:')) onReport(line.slice('>MPTCP:'.length));
        else if (line.startsWith('ERROR: ')) fail(line.slice('ERROR: '.length));
      }
    });
    socket.write(isJson ? 'mptcp watch json\n' : 'mptcp watch\n');
  });
}
