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
 * The group that lets a daemon without root remove stale records (openvpn-conf/subflowd-sysusers.conf). Only the daemon may
 * be in it, and not the users of the consoles.
 */
export const HOOKS_GROUP = 'subflowd-hooks';

/** Others can put files into this directory, or it is not a directory. The message says how to fix it. */
export class UnsafeDirectoryError extends Error {
  override readonly name = 'UnsafeDirectoryError';
}

/**
 * Makes the events directory if it is missing, and in it a directory for each user. A hook finds the directory of its user by
 * the owner. What exists is checked and never changed.
 *
 * The events directory belongs to root or the user of this process, and others can only read it. In a user's directory only
 * that user and the group of the daemon can write. So nobody else can put a false record there, or a FIFO, which would block
 * OpenVPN.
 * @param group the number of {@link HOOKS_GROUP}; undefined if the group does not exist.
 * @throws {UnsafeDirectoryError} if an owner or a mode allows more than that.
 * @throws {Error} from the file system, e.g. ENOSPC. If this process may not make them, the message says how to make them.
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
      `add the line "d ${path} 0755 root root -" to /etc/tmpfiles.d/subflowd.conf ` +
      '(openvpn-conf/subflowd-tmpfiles.conf has it for /run/subflowd/events), then run: systemd-tmpfiles --create';
    throw new Error(`cannot make ${path}: ${whyDenied(error, 'write to', dirname(path), remedy)}`, {
      cause: error,
    });
  }
  checkEventsDirectory(path);
  for (const user of users) makeUserDirectory(join(path, user.name), user, group);
}

function makeUserDirectory(path: string, user: User, group: number | undefined): void {
  try {
    if (makeDirectory(path, 0o700)) setOwner(path, user, group);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
    throw new Error(
      `${path} is missing, and user ${userOrNumber(process.geteuid?.() ?? 0).name} may not make it; to fix it: add the line ` +
        `"d ${path} 2770 ${user.name} ${HOOKS_GROUP} -" to /etc/tmpfiles.d/subflowd.conf, ` +
        'then run: systemd-tmpfiles --create',
      { cause: error },
    );
  }
  checkUserDirectory(path, group);
}

function setOwner(path: string, { uid, gid }: User, group: number | undefined): void {
  try {
    chownSync(path, uid, group ?? gid);
  } catch (error) {
    // no hook would find it without its owner, and nobody would notice
    rmdirSync(path);
    throw error;
  }
  if (group !== undefined) chmodSync(path, 0o2770);
}

/**
 * Checks who can write to the events directory and to the directories above it.
 * @throws {UnsafeDirectoryError} see {@link ensureEventsDirectory}
 * @throws {Error} ENOENT if it is missing.
 */
export function checkEventsDirectory(path: string): void {
  const stats = lstatDirectory(path);
  const ownUid = process.getuid?.() ?? 0;
  if (
    (stats.uid !== ownUid && stats.uid !== 0) ||
    (stats.mode & 0o022) !== 0 ||
    (stats.mode & 0o005) !== 0o005
  ) {
    throw new UnsafeDirectoryError(
      `the events directory ${path} has ${describe(stats)}: it must belong to root, with mode 0755; ` +
        `to fix it: chown root:root ${quote(path)} && chmod 0755 ${quote(path)}`,
    );
  }
  // check the real path: /var/run is a link that root made
  for (let parent = realpathSync(dirname(path)); ; parent = dirname(parent)) {
    const above = lstatDirectory(parent);
    const sticky = (above.mode & 0o1000) !== 0;
    if ((above.uid !== ownUid && above.uid !== 0) || ((above.mode & 0o022) !== 0 && !sticky)) {
      throw new UnsafeDirectoryError(
        `${parent}, which holds the events directory ${path}, has ${describe(above)}: others could replace ` +
          `its content; to fix it: chown root ${quote(parent)} && chmod go-w ${quote(parent)}`,
      );
    }
    if (parent === dirname(parent)) return;
  }
}

/**
 * Checks one user's directory and returns its owner.
 * @param group the number of {@link HOOKS_GROUP}, which may also write there.
 * @throws {UnsafeDirectoryError} if others can write to it.
 * @throws {Error} ENOENT if it is missing.
 */
export function checkUserDirectory(path: string, group?: number): { readonly uid: number } {
  const stats = lstatDirectory(path);
  const isGroupOurs = group !== undefined && stats.gid === group;
  if ((stats.mode & 0o002) !== 0 || ((stats.mode & 0o020) !== 0 && !isGroupOurs)) {
    throw new UnsafeDirectoryError(
      `${path} has ${describe(stats)}: others than its owner can write to it; to fix it: ` +
        `chmod ${isGroupOurs ? '2770' : '0700'} ${quote(path)}`,
    );
  }
  return { uid: stats.uid };
}

/** The command that lets the daemon read a user's directory and remove stale records; undefined if it may do so already. */
export function remedyForRights(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM')) return undefined;
    return `chgrp ${HOOKS_GROUP} ${quote(path)} && chmod 2770 ${quote(path)}`;
  }
}

/** root and this host's `nobody`: the users in OpenVPN's sample configs. */
export function defaultHookUsers(): readonly User[] {
  return [userOrNumber(0), userOrNumber(listUsers().find(({ name }) => name === 'nobody')?.uid ?? 65534)];
}

/** @returns false if it exists already. */
function makeDirectory(path: string, mode: number): boolean {
  makeParent(dirname(path));
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
  // the umask changes the mode of mkdir
  chmodSync(path, mode);
  return true;
}

function lstatDirectory(path: string): Stats {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) {
    throw new UnsafeDirectoryError(
      `${path} is not a directory; to fix it: mv ${quote(path)} ${quote(`${path}.old`)}`,
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
