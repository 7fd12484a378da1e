import { chmodSync, chownSync, lstatSync, mkdirSync, realpathSync, type Stats } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeDirectory as makeParent } from '../directory.js';
import { readRegularFileSync } from '../regular-file.js';
import { hasCode } from './errno.js';

/** Bytes of /etc/passwd; a directory service's users are not in it. */
const LARGEST_PASSWD = 1 << 24;

/** Where hooks record unless OpenVPN's config sets SUBFLOWD_EVENTS. */
export const DEFAULT_EVENTS = '/run/subflowd/events';

/** A directory that somebody could plant files in, or that is none. The message says the mend. */
export class UnsafeDirectoryError extends Error {
  override readonly name = 'UnsafeDirectoryError';
}

/** A user that OpenVPN runs as, and so hooks. */
export interface HookUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes the events directory if it is missing, and in it the directory of each user: hooks find theirs by
 * its owner. What is there already is never changed, only checked.
 *
 * The directory itself belongs to this process's user (root) and others can only look; a user's directory is that
 * user's alone. So nobody but OpenVPN's user can put a FIFO, which would stop OpenVPN, or another's session there.
 * @throws {UnsafeDirectoryError} if something there has an owner or a mode that allows more than that.
 * @throws {Error} from the file system, e.g. EROFS.
 */
export function ensureEventsDirectory(
  directory: string,
  users: readonly HookUser[] = defaultHookUsers(),
): void {
  const path = resolve(directory);
  makeDirectory(path, 0o755);
  checkEventsDirectory(path);
  for (const user of users) {
    const own = join(path, user.name);
    if (makeDirectory(own, 0o700)) chownSync(own, user.uid, user.gid);
    checkUserDirectory(own);
  }
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
 * @throws {UnsafeDirectoryError} if others can write to it.
 * @throws {Error} ENOENT if it is missing.
 */
export function checkUserDirectory(path: string): { readonly uid: number } {
  const stats = lstatDirectory(path);
  if ((stats.mode & 0o022) !== 0) {
    throw new UnsafeDirectoryError(
      `${path} has ${describe(stats)}: others than its owner can write to it; mend it with: chmod 0700 ${quote(path)}`,
    );
  }
  return { uid: stats.uid };
}

/** root, and the `nobody` of this host: whom OpenVPN's sample configs name. */
export function defaultHookUsers(): readonly HookUser[] {
  return [hookUser(0), hookUser(passwd().find(({ name }) => name === 'nobody')?.uid ?? 65534)];
}

/** A user by number; one that has no name gets the number for a name. */
export function hookUser(uid: number): HookUser {
  return passwd().find((user) => user.uid === uid) ?? { name: String(uid), uid, gid: uid };
}

/** The number of a user that is given by name or by number; undefined if there is no such name. */
export function userNumber(user: string): number | undefined {
  return /^\d{1,10}$/.test(user) ? Number(user) : passwd().find(({ name }) => name === user)?.uid;
}

/** passwd(5); users of a directory service are known by their number alone. */
function passwd(): HookUser[] {
  let text = '';
  try {
    text = readRegularFileSync('/etc/passwd', LARGEST_PASSWD).toString('utf8');
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'EACCES')) throw error;
  }
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    const usable = name !== undefined && /^[^/\s.][^/\s]*$/.test(name) && /^\d+$/.test(uid ?? '');
    return usable ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
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
  return `owner ${hookUser(stats.uid).name} and mode 0${(stats.mode & 0o7777).toString(8)}`;
}

function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
