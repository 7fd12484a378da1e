import { connect } from 'node:net';
import { LineSplitter } from '../lines.js';
import { ConsoleUnreachable, reasonOf } from './talk.js';

/** Bytes. */
export const MAX_LINE = 64 * 1024;

/**
 * Says `mptcp watch` at a console and hands on what it tells, without `>MPTCP:`, for as long as it lasts.
 * @throws {ConsoleUnreachable} if there is no console, or when it goes away.
 */
export async function follow(socketPath: string, take: (line: string) => void): Promise<void> {
  await new Promise<void>((_resolve, reject) => {
    const splitter = new LineSplitter(MAX_LINE);
    const fail = (reason: string, isAbsent = false) => {
      socket.destroy();
      reject(
        new ConsoleUnreachable(`the daemon tells nothing at its console ${socketPath}: ${reason}`, isAbsent),
      );
    };
    const socket = connect(socketPath, () => socket.write('mptcp watch\n'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      fail(reasonOf(error), error.code === 'ENOENT' || error.code === 'ECONNREFUSED');
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
  });
}
