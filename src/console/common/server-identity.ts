import { lstatSync, realpathSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import { unixPeer } from '../../native/unix-peer.js';
import { userNumber } from '../../util/accounts.js';
import { reasonOf } from '../../util/errno.js';
import { programOf } from '../../util/program-of.js';
import { userName } from './users.js';

/** The user that openvpn-conf/subflowd.service runs the daemon as. */
const DAEMON_USER = 'subflowd';

/** A process that serves a console and is not trusted to be the daemon. */
export interface UntrustedServer {
  readonly user: string;
  /** 0: the process is in another PID namespace. */
  readonly pid: number;
  /** For a message: who it is, and who is trusted. */
  readonly text: string;
}

/** Why nothing may be sent to a console, and the command that fixes it if there is one. */
export interface Distrust {
  readonly reason: string;
  readonly remedy?: string;
}

/**
 * Checks which user serves a console. Without this check, any user who makes the socket first could read what an admin
 * types, and answer it. Trusted are root, the user of the daemon's unit, and this process's own user. The kernel reports the
 * user that the other process had when it began to listen.
 * @returns undefined if the server is trusted.
 * @throws {KernelError} if the native addon cannot be loaded; {Error} if the connection was closed meanwhile.
 */
export function findUntrustedServer(socket: Socket): UntrustedServer | undefined {
  const peer = unixPeer(socket);
  if (peer === undefined) throw new Error('it closed the connection');
  const { uid, pid } = peer;
  if (trustedUsers().has(uid)) return undefined;
  const user = userName(uid);
  const program = pid === 0 ? '' : `, process ${pid}${programOf(pid)}`;
  return { user, pid, text: `user ${user} serves it${program}; only ${trustedNames()} are trusted` };
}

/**
 * Returns why nothing may be sent on a connection to a console; undefined if it may. Besides the server, the path is checked:
 * a user who can replace a part of the path can redirect an admin's commands to another console, or to OpenVPN. The group
 * of a directory is trusted, because an admin has set it.
 * @param path the socket that was connected to.
 */
export function whyNotTrusted(socket: Socket, path: string): Distrust | undefined {
  try {
    const untrusted = findUntrustedServer(socket);
    if (untrusted !== undefined) {
      const { user, pid, text } = untrusted;
      const remedy = `end that program and remove the socket or, if it is your subflowd, run this command as user ${user}`;
      return {
        reason: `${text}: nothing was sent there; ${remedy}`,
        ...(pid !== 0 && { remedy: `kill ${pid} && rm ${path} && systemctl restart subflowd` }),
      };
    }
    const replaceable = findReplaceablePath(trustedUsers(), path);
    if (replaceable === undefined) return undefined;
    const remedy =
      'set [console] socket to a path in a directory that only root can change, such as /run/subflowd';
    return { reason: `${replaceable}: nothing was sent there; ${remedy}`, remedy };
  } catch (error) {
    return { reason: `it is not known who serves it (${reasonOf(error)}): nothing was sent there` };
  }
}

/** Returns the numbers of the users that may serve a console. */
function trustedUsers(): ReadonlySet<number> {
  const daemon = userNumber(DAEMON_USER);
  return new Set([0, process.geteuid?.() ?? 0, ...(daemon === undefined ? [] : [daemon])]);
}

/** Returns the users of {@link trustedUsers} as words for a message. */
function trustedNames(): string {
  const self = process.geteuid?.() === 0 ? '' : 'you, ';
  return `${self}root and user ${DAEMON_USER}`;
}

/** Returns which part of the path users other than these can replace; undefined if they can replace none. */
function findReplaceablePath(users: ReadonlySet<number>, path: string): string | undefined {
  // if the path is a link, also check the path of its target
  for (const start of [resolve(path), realpathSync(path)]) {
    for (let at = start; ; at = dirname(at)) {
      const stats = lstatSync(at);
      if (!users.has(stats.uid)) return `${at} belongs to user ${userName(stats.uid)}, who can replace it`;
      // in a directory such as /tmp (sticky) users cannot replace files of others, and this path exists already
      const isSticky = (stats.mode & 0o1000) !== 0;
      if (stats.isDirectory() && (stats.mode & 0o002) !== 0 && !isSticky)
        return `every user can replace files in ${at}`;
      if (at === dirname(at)) break;
    }
  }
  return undefined;
}
