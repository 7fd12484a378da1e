import { opendirSync, readlinkSync } from 'node:fs';
import { KernelError } from '../../model/kernel-error.js';

/**
 * Descriptors of a process that are looked at: twice as many as a server's sessions. Each takes a system call, and who has
 * the rights of OpenVPN's user can open as many as the machine allows.
 */
export const MAX_DESCRIPTORS = 32_768;

/**
 * What a process's descriptors are, as `/proc/PID/fd` names them: `socket:[INODE]`, `/dev/net/tun`.
 * @throws {KernelError} if they are more than `most`. {Error} ENOENT or ESRCH if the process is gone; EACCES if it is not
 * ours to look at.
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

/** Empty: it was closed meanwhile. */
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
    `process ${pid} has more than ${most} descriptors, and is not looked at`,
    'end it if it is not OpenVPN',
  );
}

const SOCKET = 'socket:[';

/** The inodes of the sockets among them. */
export function socketInodes(names: readonly string[]): Set<number> {
  const inodes = new Set<number>();
  for (const name of names) if (name.startsWith(SOCKET)) inodes.add(parseInt(name.slice(SOCKET.length), 10));
  return inodes;
}
