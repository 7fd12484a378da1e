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
import { hasCode } from './errno.js';

/**
 * Writes a file completely or not at all. When this returns, the content is on the disk, also after a loss of power. When it
 * throws, the old content is unchanged and no other file remains. An existing file keeps its mode and, if we have the right
 * to set it, its owner. If the path is a symbolic link, its target is written.
 * @param mode of a new file; the umask applies.
 * @throws {Error} that names the file if it cannot be written: no space (ENOSPC, EDQUOT), a limit on its size (EFBIG), a
 * read-only file system (EROFS), no free descriptor (EMFILE), a failing device (EIO), or a path that is not a regular file.
 */
export function writeFileAtomically(file: string, content: string | Uint8Array, mode: number): void {
  let target = file;
  try {
    const before = statSync(file, { throwIfNoEntry: false });
    if (before && !before.isFile()) throw new UnusableFileError('it is not a regular file');
    if (before) target = realpathSync(file);
    replace(target, Buffer.from(content), mode, before);
  } catch (error) {
    throw new Error(`${file} cannot be written: ${whyUnwritable(error, dirname(target))}`, { cause: error });
  }
}

/** Why a file cannot be created in a directory, for an admin. */
export function whyUnwritable(error: unknown, directory: string): string {
  const { errno } = error as NodeJS.ErrnoException;
  // Node does not know EDQUOT and reports UNKNOWN.
  if (errno === -osConstants.errno.EDQUOT) return 'EDQUOT: disk quota exceeded';
  return whyDenied(error, 'write to', directory);
}

function replace(file: string, bytes: Buffer, mode: number, before: Stats | undefined): void {
  // Open the directory first: once the file is in place, an error must not happen for lack of a descriptor.
  const directory = openSync(dirname(file), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    // In the same directory, because rename(2) does not cross file systems. An old file of another process with our PID is stale.
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
    if (before) keepModeAndOwner(fd, before);
    // If space runs out, write(2) writes a part, and only the next call reports the error.
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Gives the new file the mode and owner of the file that it replaces. */
function keepModeAndOwner(fd: number, before: Stats): void {
  // The mode first: after the owner changed, that would need CAP_FOWNER.
  fchmodSync(fd, before.mode & 0o7777);
  const { uid, gid } = fstatSync(fd);
  if (uid === before.uid && gid === before.gid) return;
  try {
    fchownSync(fd, before.uid, before.gid);
  } catch (error) {
    // Without the right to give the file away, it belongs to us, as a new one would. ENOSYS: the daemon's unit refuses chown(2).
    if (!hasCode(error, 'EPERM', 'ENOSYS')) throw error;
  }
}

/** Makes a rename durable. Some file systems do not support this, and report EINVAL (fsync(2)). */
function syncDirectory(fd: number): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
  }
}
