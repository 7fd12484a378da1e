import { unreadable } from './denied.js';
import { readRegularFileSync } from './regular-file.js';

/** Bytes: OpenVPN takes a first line of some hundred, and ignores what stands below. */
export const LARGEST_FILE = 65_536;

/**
 * The first line of a password file. Read at each use, so that a new password is in force at once.
 * @throws {Error} naming the file if it cannot be read, is not a regular file, is larger than 64 KiB, or if its first
 * line is empty.
 */
export function readPasswordFile(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readRegularFileSync(file, LARGEST_FILE);
  } catch (error) {
    throw new Error(unreadable(file, error), { cause: error });
  }
  const password = /^[^\r\n]*/.exec(bytes.toString('utf8'))?.[0] ?? '';
  if (password === '') throw new Error(`the first line of ${file} is empty`);
  return password;
}
