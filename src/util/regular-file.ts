import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';

/** Should a FIFO have taken the file's name since it was looked at: opening or reading it does not wait. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
const CHUNK_BYTES = 65_536;

/** A path that stands for something else than a file of a sensible size. The message does not repeat the path. */
export class UnusableFileError extends Error {
  override readonly name = 'UnusableFileError';
}

/**
 * Opens a file that an admin names. A FIFO or a device, named by mistake, is neither opened nor waited for: opening
 * alone can have an effect (watchdog(4)).
 * @throws {UnusableFileError} if it is no regular file. {Error} from the file system.
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
 * The bytes of a file that an admin names.
 * @param most bytes: a larger file is refused, and no more than that is read of it.
 * @throws {UnusableFileError} if it is no regular file, or larger. {Error} from the file system.
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

/** As {@link readRegularFile}, for what has to be known before anything else is done. */
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

/** What was read so far. That the size of a file is small is not believed: it can grow, and in /proc it is 0. */
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
