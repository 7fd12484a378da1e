import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { MAX_RECORD_BYTES } from './record.js';

/** A text that changes when the file is written again. Its time, a double, has a resolution of a quarter of a microsecond. */
export function signatureOf(stats: Stats): string {
  return `${stats.ino}:${stats.mtimeMs}:${stats.size}:${stats.uid}`;
}

/**
 * The content of a regular file, at most one byte more than a record may have, so that the caller notices a longer one. Empty
 * if it is not a regular file.
 * @throws {Error} from the file system, e.g. ENOENT.
 */
export function readBounded(path: string): Buffer {
  // O_NONBLOCK: somebody may have replaced it by a FIFO after the check
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return Buffer.alloc(0);
    const bytes = Buffer.alloc(Math.min(stats.size, MAX_RECORD_BYTES) + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(fd, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
