import { chownSync, lstatSync, rmSync } from 'node:fs';
import { userNumber } from '../util/accounts.js';
import { Helper } from './helper.js';
import { ServerGuard } from './server-guard.js';

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_PASSED = 3;

/** Options of `subflowd helper`. */
export interface RunOptions {
  /** Where to listen, if systemd passes no socket. */
  readonly socket: string;
  /** Name or number of the daemon's user, who may connect besides root and the user of this process. */
  readonly user: string;
  /** Units that OpenVPN may run in; empty: any. */
  readonly units: readonly string[];
  readonly onNotice: (text: string) => void;
}

/**
 * Starts the helper.
 * @throws {Error} if it cannot listen.
 */
export async function startHelper({ socket, user, units, onNotice }: RunOptions): Promise<Helper> {
  const daemon = userNumber(user);
  const users = new Set([0, process.geteuid?.() ?? 0, ...(daemon === undefined ? [] : [daemon])]);
  const helper = new Helper({ guard: new ServerGuard(units), users, onNotice });
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (pid === String(process.pid) && count === '1') {
    await helper.listen({ fd: FIRST_PASSED });
    return helper;
  }
  removeOldSocket(socket);
  // until the owner is set, only this process's user may connect
  const umask = process.umask(0o177);
  try {
    await helper.listen({ path: socket });
  } finally {
    process.umask(umask);
  }
  if (daemon !== undefined && process.geteuid?.() === 0) chownSync(socket, daemon, 0);
  return helper;
}

/** Removes the socket of a helper that has died. A helper that still runs serves its daemon until that connects anew. */
function removeOldSocket(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket())
    throw new Error(`${path} exists and is not a socket: remove it, or choose another --socket`);
  rmSync(path);
}
