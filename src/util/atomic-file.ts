import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { constants as osConstants } from 'node:os';
import { dirname } from 'node:path';
import { whyDenied } from './denied.js';
import { UnusableFileError } from './regular-file.js';

/**
 * Writes a file whole or not at all: when this returns, the content is on the disk and will be there after a loss of
 * power; when it throws, what stood there before is unchanged and nothing is left beside it. A file that is there keeps
 * its mode and, as far as we may give it, its owner; a symbolic link stays, and the file that it leads to is written.
 * @param mode of a new file; the umask cuts it.
 * @throws {Error} naming the file if it cannot be written: no space (ENOSPC, EDQUOT), a limit on size (EFBIG), a
 * read-only file system (EROFS), no descriptor left (EMFILE), a device that fails (EIO), or something else than a
 * regular file under that name.
 */
export function writeFileAtomically(file: string, content: string, mode: number): void {
  let target = file;
  try {
    const before = statSync(file, { throwIfNoEntry: false });
    if (before && !before.isFile()) throw new UnusableFileError('it is not a regular file');
    if (before) target = realpathSync(file);
    replace(target, Buffer.from(content), mode, before);
  } catch (error) {
    throw new Error(`${file} cannot be written: ${reasonOf(error, dirname(target))}`, { cause: error });
  }
}

function reasonOf(error: unknown, directory: string): string {
  const { errno } = error as NodeJS.ErrnoException;
  // Node has no word for a quota, and calls it UNKNOWN
  if (errno === -osConstants.errno.EDQUOT) return 'EDQUOT: disk quota exceeded';
  return whyDenied(error, 'write to', directory);
}

function replace(file: string, bytes: Buffer, mode: number, before: Stats | undefined): void {
  // Opened first: no descriptor has to be had any more once the file is in its place.
  const directory = openSync(dirname(file), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    // In the same directory, as a rename does not cross file systems. One of a process that had our number is stale.
    const next = `${file}.${process.pid}.new`;
    rmSync(next, { force: true });
    try {
      writeDurably(next, bytes, mode, before);
      renameSync(next, file);
    } catch (error) {
      rmSync(next, { force: true });
      throw error;
    }
    syncDirectory(directory);
  } finally {
    closeSync(directory);
  }
}

function writeDurably(file: string, bytes: Buffer, mode: number, before: Stats | undefined): void {
  const fd = openSync(file, 'wx', mode);
  try {
    if (before) adopt(fd, before);
    // The kernel writes as much as there is room for, and says no only when it is asked for the rest.
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Owner and mode of the file that is replaced. */
function adopt(fd: number, before: Stats): void {
  // the mode first: of another's file we may not be allowed to change it (CAP_FOWNER)
  fchmodSync(fd, before.mode & 0o7777);
  const { uid, gid } = fstatSync(fd);
  if (uid === before.uid && gid === before.gid) return;
  try {
    fchownSync(fd, before.uid, before.gid);
  } catch (error) {
    // it is ours then, as a new one would be
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

/** Makes a rename last. Some file systems have nothing to sync there, and say EINVAL (fsync(2)). */
function syncDirectory(fd: number): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
  }
}
