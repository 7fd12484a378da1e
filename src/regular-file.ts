import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * The bytes of a file, and one more than `most` of one that is larger. What an admin names by mistake (a FIFO, a
 * device) is not waited for.
 * @throws {NotARegularFile} and the system's errors.
 */
export async function readRegularFile(file: string, most: number): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new NotARegularFile('is no regular file');
    const buffer = Buffer.alloc(most + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

export class NotARegularFile extends Error {
  override readonly name = 'NotARegularFile';
}
