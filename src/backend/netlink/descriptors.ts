import { readdirSync, readlinkSync } from 'node:fs';

/**
 * What a process's descriptors are, as `/proc/PID/fd` names them: `socket:[INODE]`, `/dev/net/tun`.
 * @throws {Error} ENOENT or ESRCH if the process is gone; EACCES if it is not ours to look at.
 */
export function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // closed meanwhile
    }
  });
}

const SOCKET = 'socket:[';

/** The inodes of the sockets among them. */
export function socketInodes(names: readonly string[]): Set<number> {
  const inodes = new Set<number>();
  for (const name of names) if (name.startsWith(SOCKET)) inodes.add(parseInt(name.slice(SOCKET.length), 10));
  return inodes;
}
