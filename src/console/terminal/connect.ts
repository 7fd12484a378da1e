import { connect, type Socket } from 'node:net';
import { whyNotSay } from '../common/server-identity.js';

/** The console gave no answer. */
export class ConsoleUnreachable extends Error {
  override readonly name = 'ConsoleUnreachable';

  /**
   * @param isAbsent whether it is certain that no daemon serves the console.
   * @param remedy the command that fixes it, where it is known.
   */
  constructor(
    message: string,
    readonly isAbsent: boolean,
    readonly remedy?: string,
  ) {
    super(message);
  }
}

/**
 * Connects to a console. Nothing is said to whoever serves it before it is known who that is.
 * @param complaint what an error begins with, before the path.
 * @param allowHalfOpen whether its end is not at once ours.
 * @throws {ConsoleUnreachable} if nobody serves it, or somebody who is not believed to be the daemon.
 */
export async function reach(path: string, complaint: string, allowHalfOpen = false): Promise<Socket> {
  return new Promise((done, reject) => {
    const socket = connect({ path, allowHalfOpen });
    const fail = (reason: string, isAbsent: boolean, remedy?: string) => {
      socket.destroy();
      reject(new ConsoleUnreachable(`${complaint} ${path}: ${reason}`, isAbsent, remedy));
    };
    const onError = (error: NodeJS.ErrnoException) => {
      fail(reasonOf(error), error.code === 'ENOENT' || error.code === 'ECONNREFUSED');
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      const distrust = whyNotSay(socket, path);
      if (distrust === undefined) done(socket);
      else fail(distrust.reason, false, distrust.remedy);
    });
  });
}

/** Why a console cannot be reached, with the mend. */
function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return 'it is not running; start it (systemctl start subflowd, or subflowd run)';
  if (code === 'EACCES')
    return 'you may not use that socket; be root, or of the group that [console] group names';
  return message;
}
