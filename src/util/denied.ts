import { lstatSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { accountName } from './accounts.js';
import { UnusableFileError } from './regular-file.js';

/** Created by openvpn-conf/subflowd-tmpfiles.conf; openvpn-conf/subflowd.service lets the daemon write to it. */
const RUN_DIRECTORY = '/run/subflowd';
/** Created by StateDirectory= in openvpn-conf/subflowd.service; it belongs to the daemon's user. */
const STATE_DIRECTORY = '/var/lib/subflowd';
/** A group with only the daemon in it. It may write to {@link RUN_DIRECTORY}. */
const DAEMON_GROUP = 'subflowd-hooks';

const RESTART = 'systemctl daemon-reload && systemctl restart subflowd';
const MAKE_DIRECTORIES =
  'install -D --mode 644 openvpn-conf/subflowd-tmpfiles.conf /etc/tmpfiles.d/subflowd.conf && ' +
  'systemd-tmpfiles --create && systemctl restart subflowd';
const USE_UNIT = `install openvpn-conf/subflowd.service anew, then: ${RESTART}`;

/** How a process uses a file, or the files in a directory. */
export type Use = 'read' | 'write to';

/** What a process must be allowed to do with a directory, so that it can use what is in it. */
const IN_DIRECTORY: Readonly<Record<Use, string>> = { read: 'search', 'write to': 'create a file in' };

/**
 * Why a path cannot be read or written, for an admin. If this process does not have the right, the text names the file or
 * directory that denies it, its owner, and how to fix it. Most other errors are returned as the system reports them.
 * @param path the file that is read, or the directory in which something is created.
 * @param remedy how to fix it, if the caller has a better remedy than the general one for such a path.
 */
export function whyDenied(error: unknown, use: Use, path: string, remedy?: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EROFS')
    return `EROFS: ${path} is read-only to this process: ${remedy ?? writableAgain(path)}`;
  if (code === 'ENOENT' && use === 'read') return 'there is no such file or directory';
  if (code !== 'EACCES') return message;
  const { at, stats } = nearestVisible(path);
  if (stats === undefined) return message;
  const user = ownName();
  const action = at === path ? use : IN_DIRECTORY[use];
  const denial = `user ${user} may not ${action} ${at}, which has ${ownerText(stats)}`;
  return `${code}: ${denial}: ${remedy ?? remedyOf(use, path, user, stats)}`;
}

/** Why a file cannot be read: one sentence that names it. */
export function whyUnreadable(path: string, error: unknown): string {
  if (error instanceof UnusableFileError) return `${path} ${error.message}`;
  return `${path} cannot be read: ${whyDenied(error, 'read', path)}`;
}

/** Owner, group and mode, as `ls` and `stat` show them. */
function ownerText({ uid, gid, mode }: Stats): string {
  const owner = `${accountName('passwd', uid)}:${accountName('group', gid)}`;
  return `owner ${owner} and mode 0${(mode & 0o7777).toString(8)}`;
}

/** The path itself, or the nearest directory above it that this process can stat(2). */
function nearestVisible(path: string): { readonly at: string; readonly stats?: Stats } {
  for (let at = path; ; at = dirname(at)) {
    for (const readStats of [statSync, lstatSync]) {
      try {
        return { at, stats: readStats(at) };
      } catch {
        // Try the link itself if its target is missing or hidden, and then the directory above.
      }
    }
    if (at === dirname(at)) return { at };
  }
}

/** @param stats of the file or directory that denies access. */
function remedyOf(use: Use, path: string, user: string, stats: Stats): string {
  if (use === 'read')
    return `run it as root, or let that user read it; for the daemon: ${letDaemon(path, stats)}`;
  if (isIn(path, RUN_DIRECTORY)) {
    const isMade = (stats.mode & 0o020) !== 0 && accountName('group', stats.gid) === DAEMON_GROUP;
    return isMade ? `run it as root; for the daemon ${USE_UNIT}` : MAKE_DIRECTORIES;
  }
  if (isIn(path, STATE_DIRECTORY)) return `chown -R ${user}: ${STATE_DIRECTORY}`;
  return 'let that user write there, or choose another path in subflowd.ini';
}

/** The command that lets the daemon alone read a file, or use what is in a directory. */
function letDaemon(path: string, stats: Stats): string {
  return stats.isDirectory()
    ? `move what it needs to ${RUN_DIRECTORY}/management, or to another directory that group ${DAEMON_GROUP} may search`
    : `chgrp ${DAEMON_GROUP} ${path} && chmod 640 ${path}`;
}

/** How to make a path writable: ProtectSystem=strict in the daemon's unit makes all other paths read-only. */
function writableAgain(path: string): string {
  if (isIn(path, RUN_DIRECTORY)) return MAKE_DIRECTORIES;
  if (isIn(path, STATE_DIRECTORY)) return `for the daemon ${USE_UNIT}; else mount it read-write`;
  return `for the daemon systemctl edit subflowd, [Service] ReadWritePaths=${path}; else mount it read-write`;
}

function isIn(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

function ownName(): string {
  return accountName('passwd', process.geteuid?.() ?? 0);
}
