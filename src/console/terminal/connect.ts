import { connect, type Socket } from 'node:net';
import { whyNotTrusted } from '../common/server-identity.js';
import { ConsoleUnreachable } from './console-error.js';

/**
 * Connects to a console. Nothing is sent before it is known who serves it.
 * @param errorPrefix how an error message begins, before the path.
 * @param allowHalfOpen whether this end stays open after the console has closed its own.
 * @throws {ConsoleUnreachable} if nobody serves the console, or if whoever serves it is not trusted to be the daemon.
 */
export async function connectToConsole(
  path: string,
  errorPrefix: string,
  allowHalfOpen = false,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen });
    const fail = (reason: string, isAbsent: boolean, remedy?: string) => {
      socket.destroy();
      reject(new ConsoleUnreachable(`${errorPrefix} ${path}: ${reason}`, isAbsent, remedy));
    };
    const onError = (error: NodeJS.ErrnoException) => {
      fail(connectErrorText(error), error.code === 'ENOENT' || error.code === 'ECONNREFUSED');
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      const distrust = whyNotTrusted(socket, path);
      if (distrust === undefined) resolve(socket);
      else fail(distrust.reason, false, distrust.remedy);
    });
  });
}

/** Why a console cannot be reached, and how to fix it. */
function connectErrorText({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return 'it is not running; start it (systemctl start subflowd, or subflowd run)';
  if (code === 'EACCES')
    return 'you may not use that socket; be root, or a member of the group that [console] group names';
  return message;
}
