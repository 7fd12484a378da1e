import { LineSplitter } from '../../util/lines.js';
import { ConsoleUnreachable, reach } from './connect.js';

/** Bytes. */
export const MAX_LINE = 64 * 1024;

/**
 * Says `mptcp watch` at a console and hands on what it tells, without `>MPTCP:`, for as long as it lasts.
 * @throws {ConsoleUnreachable} if there is no console, or when it goes away.
 */
export async function follow(socketPath: string, take: (line: string) => void): Promise<void> {
  const complaint = 'the daemon tells nothing at its console';
  const socket = await reach(socketPath, complaint);
  await new Promise<void>((_resolve, reject) => {
    const splitter = new LineSplitter(MAX_LINE);
    const fail = (reason: string) => {
      socket.destroy();
      reject(new ConsoleUnreachable(`${complaint} ${socketPath}: ${reason}`, false));
    };
    socket.on('error', ({ message }) => {
      fail(message);
    });
    socket.on('close', () => {
      fail('it hung up; start it (systemctl start subflowd), and watch again');
    });
    socket.on('data', (chunk: Buffer) => {
      let lines: string[];
      try {
        lines = splitter.push(chunk);
      } catch {
        fail(`it sent a line longer than ${MAX_LINE} bytes`);
        return;
      }
      for (const line of lines) {
        if (line.startsWith('>MPTCP:')) take(line.slice('>MPTCP:'.length));
        else if (line.startsWith('ERROR: ')) fail(line.slice('ERROR: '.length));
      }
    });
    socket.write('mptcp watch\n');
  });
}
