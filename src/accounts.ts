import { readRegularFileSync } from './regular-file.js';

/** Bytes of /etc/passwd and of /etc/group; what only a directory service knows is not in them. */
export const LARGEST_ACCOUNTS_FILE = 1 << 24;

/**
 * The rows of a file such as passwd(5) and group(5), each as its fields.
 * @throws {Error} from the file system; {UnusableFileError} if it is no regular file, or larger than 16 MiB.
 */
export function readAccounts(file: string): string[][] {
  return readRegularFileSync(file, LARGEST_ACCOUNTS_FILE)
    .toString('utf8')
    .split('\n')
    .map((line) => line.split(':'));
}
