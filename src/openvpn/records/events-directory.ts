import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  lstatSync,
  mkdirSync,
  realpathSync,
  rmdirSync,
  type Stats,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { whyDenied } from '../../util/denied.js';
import { makeDirectory as makeParent } from '../../util/directory.js';
import { groupNumber } from '../../util/groups.js';
import { userOrNumber, listUsers, type User } from '../../util/accounts.js';
import { hasCode } from '../../util/errno.js';

/**
 * The group that the daemon alone is in, where it is not root (openvpn-conf/subflowd-sysusers.conf): by it the daemon may
 * remove stale records. Nobody else may be in it, not even who may use the consoles.
 */
export const HOOKS_GROUP = 'subflowd-hooks';

/** A directory that somebody could plant files in, or that is none. The message says the mend. */
export class UnsafeDirectoryError extends Error {
  override readonly name = 'UnsafeDirectoryError';
}

/**
 * Makes the events directory if it is missing, and in it the directory of each user: hooks find theirs by
 * its owner. What is there already is never changed, only checked.
 *
 * The directory itself belongs to this process's user or root, and others can only look; a user's directory is that
 * user's alone, or that user's and of the group of the daemon. So nobody but OpenVPN's user and the daemon can put a
 * FIFO, which would stop OpenVPN, or another's session there.
 * @param group the number of {@link HOOKS_GROUP}, undefined where there is none.
 * @throws {UnsafeDirectoryError} if something there has an owner or a mode that allows more than that.
 * @throws {Error} from the file system, e.g. ENOSPC; where this process may not make them, with what makes them.
 */
export function ensureEventsDirectory(
  directory: string,
  users: readonly User[] = defaultHookUsers(),
  group: number | undefined = groupNumber(HOOKS_GROUP),
): void {
  const path = resolve(directory);
  try {
    makeDirectory(path, 0o755);
  } catch (error) {
    const remedy =
      `have the line "d ${path} 0755 root root -" in /etc/tmpfiles.d/subflowd.conf ` +
      '(openvpn-conf/subflowd-tmpfiles.conf has that of /run/subflowd/events), then: systemd-tmpfiles --create';
    throw new Error(`${path} cannot be made: ${whyDenied(error, 'write to', dirname(path), remedy)}`, {
      cause: error,
    });
  }
  checkEventsDirectory(path);
  for (const user of users) makeUserDirectory(join(path, user.name), user, group);
}

function makeUserDirectory(path: string, user: User, group: number | undefined): void {
  try {
    if (makeDirectory(path, 0o700)) giveAway(path, user, group);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
    throw new Error(
      `${path} is missing, and user ${userOrNumber(process.geteuid?.() ?? 0).name} may not make it: add the line ` +
        `"d ${path} 0770 ${user.name} ${HOOKS_GROUP} -" to /etc/tmpfiles.d/subflowd.conf, ` +
        'then: systemd-tmpfiles --create',
      { cause: error },
    );
  }
  checkUserDirectory(path, group);
}

function giveAway(path: string, { uid, gid }: User, group: number | undefined): void {
  try {
    chownSync(path, uid, group ?? gid);
  } catch (error) {
    // without its owner no hook finds it, and it would only look as if all were well
    rmdirSync(path);
    throw error;
  }
  if (group !== undefined) chmodSync(path, 0o770);
}

/**
 * @throws {UnsafeDirectoryError} see {@link ensureEventsDirectory}
 * @throws {Error} ENOENT if it is missing.
 */
export function checkEventsDirectory(path: string): void {
  const stats = lstatDirectory(path);
  const us = process.getuid?.() ?? 0;
  if ((stats.uid !== us && stats.uid !== 0) || (stats.mode & 0o022) !== 0 || (stats.mode & 0o005) !== 0o005) {
    throw new UnsafeDirectoryError(
      `the events directory ${path} has ${describe(stats)}: it must belong to root, with mode 0755; ` +
        `mend it with: chown root:root ${quote(path)} && chmod 0755 ${quote(path)}`,
    );
  }
  // of the real path: /var/run is a link, and made by root
  for (let parent = realpathSync(dirname(path)); ; parent = dirname(parent)) {
    const above = lstatDirectory(parent);
    const sticky = (above.mode & 0o1000) !== 0;
    if ((above.uid !== us && above.uid !== 0) || ((above.mode & 0o022) !== 0 && !sticky)) {
      throw new UnsafeDirectoryError(
        `${parent}, which holds the events directory ${path}, has ${describe(above)}: others could replace ` +
          `what is in it; mend it with: chown root ${quote(parent)} && chmod go-w ${quote(parent)}`,
      );
    }
    if (parent === dirname(parent)) return;
  }
}

/**
 * Checks one user's directory and says whose it is.
 * @param group the number of {@link HOOKS_GROUP}, which may write there as well.
 * @throws {UnsafeDirectoryError} if others can write to it.
 * @throws {Error} ENOENT if it is missing.
 */
export function checkUserDirectory(path: string, group?: number): { readonly uid: number } {
  const stats = lstatDirectory(path);
  const isGroupOurs = group !== undefined && stats.gid === group;
  if ((stats.mode & 0o002) !== 0 || ((stats.mode & 0o020) !== 0 && !isGroupOurs)) {
    throw new UnsafeDirectoryError(
      `${path} has ${describe(stats)}: others than its owner can write to it; mend it with: ` +
        `chmod ${isGroupOurs ? '0770' : '0700'} ${quote(path)}`,
    );
  }
  return { uid: stats.uid };
}

/** What lets this process remove stale records from a user's directory; undefined if it may already. */
export function remedyForStaleRecords(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM')) return undefined;
    return `chgrp ${HOOKS_GROUP} ${quote(path)} && chmod 0770 ${quote(path)}`;
  }
}

/** root, and the `nobody` of this host: whom OpenVPN's sample configs name. */
export function defaultHookUsers(): readonly User[] {
  return [userOrNumber(0), userOrNumber(listUsers().find(({ name }) => name === 'nobody')?.uid ?? 65534)];
}

/** @returns whether it was made. */
function makeDirectory(path: string, mode: number): boolean {
  makeParent(dirname(path));
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
  // the mode that mkdir is given is cut by the umask
  chmodSync(path, mode);
  return true;
}

function lstatDirectory(path: string): Stats {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) {
    throw new UnsafeDirectoryError(
      `${path} is not a directory; mend it with: mv ${quote(path)} ${quote(`${path}.old`)}`,
    );
  }
  return stats;
}

function describe(stats: Stats): string {
  return `owner ${userOrNumber(stats.uid).name} and mode 0${(stats.mode & 0o7777).toString(8)}`;
}

function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
