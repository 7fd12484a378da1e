import { lstatSync, realpathSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { programOf, unixPeer } from '../../native/unix-peer.js';
import { reasonOf } from '../../util/errno.js';
import { userNumber } from '../../openvpn/events-directory.js';
import { userName } from './users.js';

/** As whom openvpn-conf/subflowd.service runs the daemon. */
const DAEMON_USER = 'subflowd';

/** Somebody who serves a console and is not believed to be the daemon. */
export interface Stranger {
  readonly user: string;
  /** 0: of another PID namespace. */
  readonly pid: number;
  /** Who it is, and who it would have to be. */
  readonly text: string;
}

/** Why nothing may be said, and the command that fixes it where there is one. */
export interface Distrust {
  readonly reason: string;
  readonly remedy?: string;
}

/**
 * Looks who is at the other end of a connection to a console: whoever makes the socket first would else be told what an
 * admin types, and could answer it. Believed are root, the user of the daemon's unit and the own user; the kernel tells as
 * whom the other end began to listen.
 * @returns undefined if it is believed.
 * @throws {KernelError} if the native addon cannot be loaded; {Error} if the connection was closed meanwhile.
 */
export function strangerAt(socket: Socket): Stranger | undefined {
  const peer = unixPeer(socket);
  if (peer === undefined) throw new Error('it hung up');
  const { uid, pid } = peer;
  if (believedUsers().has(uid)) return undefined;
  const user = userName(uid);
  const program = pid === 0 ? '' : `, process ${pid}${programOf(pid)}`;
  return { user, pid, text: `user ${user} serves it${program}, who is neither ${believedNames()}` };
}

/**
 * Why nothing may be said on a connection to a console; undefined if it may. Besides who serves it, the way there counts:
 * who can put a link to another socket in its place could lead an admin's words to another daemon's console, or to
 * OpenVPN. The group of a directory is trusted: an admin gave it that.
 * @param path where it was connected to.
 */
export function whyNotSay(socket: Socket, path: string): Distrust | undefined {
  try {
    const stranger = strangerAt(socket);
    if (stranger !== undefined) {
      const { user, pid, text } = stranger;
      const remedy = `end that program and remove the socket or, if it is your subflowd, run this command as user ${user}`;
      return {
        reason: `${text}: nothing was sent there; ${remedy}`,
        ...(pid !== 0 && { remedy: `kill ${pid} && rm ${path} && systemctl restart subflowd` }),
      };
    }
    const detour = detourBy(believedUsers(), path);
    if (detour === undefined) return undefined;
    const remedy = 'set [console] socket to a place where only root can put one, such as in /run/subflowd';
    return { reason: `${detour}: nothing was sent there; ${remedy}`, remedy };
  } catch (error) {
    return { reason: `it cannot be told who serves it, ${reasonOf(error)}: nothing was sent there` };
  }
}

function believedUsers(): ReadonlySet<number> {
  const daemon = userNumber(DAEMON_USER);
  return new Set([0, process.geteuid?.() ?? 0, ...(daemon === undefined ? [] : [daemon])]);
}

function believedNames(): string {
  const own = process.geteuid?.() === 0 ? '' : 'you, ';
  return `${own}root nor user ${DAEMON_USER}`;
}

/** Who else than these users can put something else where the path leads; undefined if nobody can. */
function detourBy(users: ReadonlySet<number>, path: string): string | undefined {
  // of a link, those who can change the link and those who can change what it leads to
  for (const start of [resolve(path), realpathSync(path)]) {
    for (let at = start; ; at = dirname(at)) {
      const stats = lstatSync(at);
      if (!users.has(stats.uid)) return `${at} is of user ${userName(stats.uid)}, who can lead it elsewhere`;
      // in one such as /tmp nobody can replace what is another's, and what is there was just looked at
      const isSticky = (stats.mode & 0o1000) !== 0;
      if (stats.isDirectory() && (stats.mode & 0o002) !== 0 && !isSticky)
        return `every user can put something else into ${at}`;
      if (at === dirname(at)) break;
    }
  }
  return undefined;
}
