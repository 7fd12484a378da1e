import { opendirSync, readlinkSync } from 'node:fs';
import { KernelError } from '../../model/kernel-error.js';

/**
 * Largest number of descriptors that is read of one process: twice as many as a server's sessions. Each takes a system call,
 * and a process with the rights of OpenVPN's user can open as many as the machine allows.
 */
export const MAX_DESCRIPTORS = 32_768;

/**
 * The targets of a process's descriptors, as `/proc/PID/fd` names them: `socket:[INODE]`, `/dev/net/tun`.
 * @throws {KernelError} if there are more than `most`. {Error} ENOENT or ESRCH if the process is gone; EACCES without the
 * right to read them.
 */
export function descriptors(pid: number, most = MAX_DESCRIPTORS): string[] {
  const path = `/proc/${pid}/fd`;
  const names: string[] = [];
  const directory = opendirSync(path, { bufferSize: 1_024 });
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (names.length >= most) throw tooMany(pid, most);
      names.push(nameOf(`${path}/${entry.name}`));
    }
  } finally {
    directory.closeSync();
  }
  return names;
}

/** The target of one descriptor; empty if it was closed meanwhile. */
function nameOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function tooMany(pid: number, most: number): KernelError {
  return new KernelError(
    'fd table',
    `process ${pid} has more than ${most} descriptors, so subflowd does not read them`,
    'end it if it is not OpenVPN',
  );
}

const SOCKET = 'socket:[';

/** The inodes of the sockets among these targets. */
export function socketInodes(names: readonly string[]): Set<number> {
  const inodes = new Set<number>();
  for (const name of names) if (name.startsWith(SOCKET)) inodes.add(parseInt(name.slice(SOCKET.length), 10));
  return inodes;
}
