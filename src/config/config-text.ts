import { isUtf8 } from 'node:buffer';

import { whyDenied } from '../util/denied.js';
import { readRegularFile, UnusableFileError } from '../util/regular-file.js';
import { ConfigError } from './problem.js';

/** The config that is used unless the command line names another. */
export const DEFAULT_CONFIG_FILE = '/etc/subflowd/subflowd.ini';

/** The largest config file that is read, bytes. */
export const MAX_FILE_BYTES = 1_048_576;

function whyUnreadable(file: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof UnusableFileError) return message;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  return `cannot be read: ${whyDenied(error, 'read', file)}`;
}

/**
 * The text of a config file.
 * @throws {ConfigError} if it does not exist, cannot be read, is larger than 1 MiB or is not UTF-8.
 */
export async function readConfigText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(file, MAX_FILE_BYTES);
  } catch (error) {
    throw new ConfigError(file, [{ message: whyUnreadable(file, error) }]);
  }
  if (!isUtf8(bytes)) {
    const line = firstLineNotUtf8(bytes);
    throw new ConfigError(file, [{ line, message: 'is not UTF-8; save the file in that encoding' }]);
  }
  return bytes.toString('utf8');
}

/** The number of the first line that is not UTF-8; 1 for the first line of the file. */
function firstLineNotUtf8(bytes: Buffer): number {
  let line = 1;
  for (let start = 0, end = 0; start < bytes.length; start = end + 1, line++) {
    end = bytes.indexOf(0x0a, start);
    if (end === -1) end = bytes.length;
    if (!isUtf8(bytes.subarray(start, end))) break;
  }
  return line;
}
