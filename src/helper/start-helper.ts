import { chownSync, lstatSync, rmSync } from 'node:fs';
import { userNumber } from '../util/accounts.js';
import { Helper } from './helper.js';
import type { OpenFunction } from './opened-backend.js';
import { ServerGuard } from './server-guard.js';

/** Options of `subflowd helper`. */
export interface RunOptions {
  /** Where to listen. */
  readonly socket: string;
  /** Name or number of the daemon's user, who may connect besides root and the user of this process. */
  readonly user: string;
  /** Units that OpenVPN may run in; empty: any. */
  readonly units: readonly string[];
  readonly onNotice: (text: string) => void;
  /** The descriptor of a socket that listens already; undefined: it listens at `socket`. */
  readonly listening: number | undefined;
  readonly open: OpenFunction;
}

/**
 * Starts the helper.
 * @throws {Error} if it cannot listen.
 */
export async function startHelper({
  socket,
  user,
  units,
  onNotice,
  listening,
  open,
}: RunOptions): Promise<Helper> {
  const daemon = userNumber(user);
  const users = new Set([0, process.geteuid?.() ?? 0, ...(daemon === undefined ? [] : [daemon])]);
  const helper = new Helper({ guard: new ServerGuard(units), users, onNotice, open });
  if (listening !== undefined) {
    await helper.listen({ fd: listening });
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
