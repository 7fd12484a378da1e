import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';

/** O_NONBLOCK: if a FIFO replaced the file after its check, opening and reading it do not wait. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
const CHUNK_BYTES = 65_536;

/** A path is not a regular file, or the file is too large. The message does not contain the path. */
export class UnusableFileError extends Error {
  override readonly name = 'UnusableFileError';
}

/**
 * Opens a file that an admin names. A FIFO or a device, named by mistake, is not opened: opening can have effects
 * (watchdog(4)) or wait.
 * @throws {UnusableFileError} if it is not a regular file. {Error} from the file system.
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  if (!(await stat(path)).isFile()) throw notRegular();
  const handle = await open(path, FLAGS);
  try {
    if (!(await handle.stat()).isFile()) throw notRegular();
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}

/**
 * Reads a file that an admin names.
 * @param most bytes. A larger file is refused, and never read beyond this size.
 * @throws {UnusableFileError} if it is not a regular file, or larger. {Error} from the file system.
 */
export async function readRegularFile(path: string, most: number): Promise<Buffer> {
  const handle = await openRegularFile(path);
  try {
    if ((await handle.stat()).size > most) throw tooLarge(most);
    const chunks = new Chunks(most);
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
      if (bytesRead === 0) return chunks.join();
      chunks.add(chunk.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** As {@link readRegularFile}, synchronously. */
export function readRegularFileSync(path: string, most: number): Buffer {
  if (!statSync(path).isFile()) throw notRegular();
  const fd = openSync(path, FLAGS);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw notRegular();
    if (stats.size > most) throw tooLarge(most);
    const chunks = new Chunks(most);
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const bytesRead = readSync(fd, chunk, 0, chunk.length, null);
      if (bytesRead === 0) return chunks.join();
      chunks.add(chunk.subarray(0, bytesRead));
    }
  } finally {
    closeSync(fd);
  }
}

/** The bytes read so far. They are counted, because the size of a file is not reliable: it can grow, and in /proc it is 0. */
class Chunks {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(private readonly most: number) {}

  add(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > this.most) throw tooLarge(this.most);
    this.#chunks.push(chunk);
  }

  join(): Buffer {
    return Buffer.concat(this.#chunks, this.#length);
  }
}

function notRegular(): UnusableFileError {
  return new UnusableFileError('is not a regular file');
}

function tooLarge(most: number): UnusableFileError {
  return new UnusableFileError(`is larger than ${sizeText(most)}`);
}

function sizeText(bytes: number): string {
  const [unit, size] = bytes % 1_048_576 === 0 ? ['MiB', 1_048_576] : ['KiB', 1024];
  return `${bytes / size} ${unit}`;
}
