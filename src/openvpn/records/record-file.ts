import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { MAX_RECORD_BYTES } from './record.js';

/** Changes whenever a file is written anew. Of the time, as a double has it, a quarter of a microsecond can be told. */
export function signatureOf(stats: Stats): string {
  return `${stats.ino}:${stats.mtimeMs}:${stats.size}:${stats.uid}`;
}

/** The content of a plain file; one byte more than a record may have, so that a longer one is noticed. */
export function readBounded(path: string): Buffer {
  // O_NONBLOCK: should it have become a FIFO since it was looked at
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
