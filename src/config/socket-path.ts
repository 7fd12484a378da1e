import { posix } from 'node:path';

import { ValueError } from './value-error.js';

/** `sun_path` is 108 bytes with its closing zero (unix(7)). */
export const LONGEST_SOCKET = 107;

/**
 * Reads an absolute path, without `.`, `..` and doubled or trailing slashes.
 * @throws {ValueError}
 */
export function readAbsolutePath(text: string): string {
  if (!text.startsWith('/')) throw new ValueError(`\`${text}\` is no absolute path; write it from /`);
  if (text.includes('\0')) throw new ValueError('a path holds no zero byte');
  const path = posix.normalize(text);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * Reads the absolute path of a file with a password. What is none is not repeated: it may be the password.
 * @throws {ValueError}
 */
export function readPasswordPath(text: string): string {
  if (!text.startsWith('/'))
    throw new ValueError('what stands there is no absolute path; write the path of a file, from /');
  return readAbsolutePath(text);
}

/**
 * Reads the absolute path of a unix socket, at most 107 bytes long.
 * @throws {ValueError}
 */
export function readSocketPath(text: string): string {
  const path = readAbsolutePath(text);
  const length = Buffer.byteLength(path);
  if (length > LONGEST_SOCKET) {
    throw new ValueError(`a socket's path is at most ${LONGEST_SOCKET} bytes long, this one is ${length}`);
  }
  return path;
}
