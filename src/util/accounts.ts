import { readRegularFileSync } from './regular-file.js';

/** Largest size of /etc/passwd and /etc/group, bytes. Accounts of a directory service are not in these files. */
export const LARGEST_ACCOUNTS_FILE = 1 << 24;

/**
 * The rows of a file such as passwd(5) and group(5), each as its fields.
 * @throws {Error} from the file system; {UnusableFileError} if it is not a regular file, or larger than 16 MiB.
 */
export function readAccounts(file: string): string[][] {
  return readRegularFileSync(file, LARGEST_ACCOUNTS_FILE)
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
