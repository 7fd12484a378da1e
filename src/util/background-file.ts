import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { whyUnwritable } from './atomic-file.js';

/**
 * Writes a file completely or not at all, as `writeFileAtomically` does, but without blocking the program while the disk is
 * slow. When it resolves, the content is on the disk. An existing file is replaced by a new one of our own. One call at a
 * time for a file.
 * @param mode of the new file; the umask applies.
 * @throws {Error} that names the file if it cannot be written; then the old content is unchanged.
 */
export async function writeFileInBackground(file: string, content: string, mode: number): Promise<void> {
  const next = `${file}.${process.pid}.new`;
  try {
    await rm(next, { force: true });
    const handle = await open(next, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, file);
    await syncDirectory(dirname(file));
  } catch (error) {
    await rm(next, { force: true }).catch(() => undefined);
    throw new Error(`${file} cannot be written: ${whyUnwritable(error, dirname(file))}`, { cause: error });
  }
}

/** Makes a rename durable. Some file systems do not support this, and report EINVAL (fsync(2)). */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
  } finally {
    await handle.close();
  }
}
