import { whyUnreadable } from './denied.js';
import { readRegularFileSync } from './regular-file.js';

/** Bytes. OpenVPN reads about a hundred bytes of the first line and ignores the rest. */
export const MAX_PASSWORD_FILE_BYTES = 65_536;

/**
 * Reads the first line of a password file. It is read at each use, so that a new password is in force at once.
 * @throws {Error} that names the file if it cannot be read, is not a regular file, is larger than 64 KiB, or has an empty first
 * line.
 */
export function readPasswordFile(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readRegularFileSync(file, MAX_PASSWORD_FILE_BYTES);
  } catch (error) {
    throw new Error(whyUnreadable(file, error), { cause: error });
  }
  const password = /^[^\r\n]*/.exec(bytes.toString('utf8'))?.[0] ?? '';
  if (password === '') throw new Error(`the first line of ${file} is empty`);
  return password;
}
