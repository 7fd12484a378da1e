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

/** The inodes of the sockets among them. */
export function socketInodes(names: readonly string[]): Set<number> {
  return new Set(
    names.flatMap((name) => {
      const inode = /^socket:\[(\d+)\]$/.exec(name)?.[1];
      return inode === undefined ? [] : [Number(inode)];
    }),
  );
}
