import { readRegularFileSync } from './regular-file.js';

/** Largest size of /etc/passwd and /etc/group, bytes. Accounts of a directory service are not in these files. */
export const MAX_ACCOUNTS_FILE_BYTES = 1 << 24;

/**
 * The rows of a file such as passwd(5) and group(5), each as its fields.
 * @throws {Error} from the file system; {UnusableFileError} if it is not a regular file, or larger than 16 MiB.
 */
export function readAccounts(file: string): string[][] {
  return readRegularFileSync(file, MAX_ACCOUNTS_FILE_BYTES)
    .toString('utf8')
    .split('\n')
    .map((line) => line.split(':'));
}

/** The name of a user or a group by its number; the number itself if there is no name or the file cannot be read. */
export function accountName(kind: 'passwd' | 'group', id: number): string {
  try {
    return readAccounts(`/etc/${kind}`).find(([, , number]) => number === String(id))?.[0] ?? String(id);
  } catch {
    return String(id); // the name is only for a message
  }
}

/** A user of /etc/passwd. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user with this number. A user without a name gets the number as name. */
export function userOrNumber(uid: number): User {
  return userOf(uid) ?? { name: String(uid), uid, gid: uid };
}

/** The user of /etc/passwd with this number. */
export function userOf(uid: number): User | undefined {
  return listUsers().find((user) => user.uid === uid);
}

/** The number of a user that is given by name or by number; undefined if there is no such name. */
export function userNumber(user: string): number | undefined {
  return /^\d{1,10}$/.test(user) ? Number(user) : listUsers().find(({ name }) => name === user)?.uid;
}

/**
 * All users of /etc/passwd; none if the file cannot be read, because a message can do without a name. Users of a directory
 * service are not in this file, so only their numbers are known.
 */
export function listUsers(): User[] {
  let rows: string[][];
  try {
    rows = readAccounts('/etc/passwd');
  } catch {
    return [];
  }
  return rows.flatMap(([name, , uid, gid]) => {
    const usable = name !== undefined && /^[^/\s.][^/\s]*$/.test(name) && /^\d+$/.test(uid ?? '');
    return usable ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}
