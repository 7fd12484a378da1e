import { posix } from 'node:path';

import { ValueError } from './value-error.js';

/** The longest path of a unix socket, bytes. `sun_path` has 108 bytes, of which the last one is zero (unix(7)). */
export const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Reads an absolute path. Removes `.`, `..` and doubled or trailing slashes.
 * @throws {ValueError} if it is relative or contains a zero byte.
 */
export function readAbsolutePath(text: string): string {
  if (!text.startsWith('/')) throw new ValueError(`\`${text}\` is not an absolute path; begin it with /`);
  if (text.includes('\0')) throw new ValueError('a path cannot contain a zero byte');
  const path = posix.normalize(text);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * Reads the absolute path of a file with a password. If the value is wrong, the message does not repeat it: somebody may have
 * written the password itself.
 * @throws {ValueError} if it is relative or contains a zero byte.
 */
export function readPasswordPath(text: string): string {
  if (!text.startsWith('/'))
    throw new ValueError('the value is not an absolute path; write the path of a file, which begins with /');
  return readAbsolutePath(text);
}

/**
 * Reads the absolute path of a unix socket.
 * @throws {ValueError} as {@link readAbsolutePath}, or if it is longer than {@link MAX_SOCKET_PATH_BYTES}.
 */
export function readSocketPath(text: string): string {
  const path = readAbsolutePath(text);
  const length = Buffer.byteLength(path);
  if (length > MAX_SOCKET_PATH_BYTES) {
    throw new ValueError(
      `a socket's path has at most ${MAX_SOCKET_PATH_BYTES} bytes, and this one has ${length}`,
    );
  }
  return path;
}
