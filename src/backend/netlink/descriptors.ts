import { opendirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { KernelError } from '../../model/kernel-error.js';
import { hasCode } from '../../util/errno.js';

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
  try {
    return readTargets(pid, most);
  } catch (error) {
    if (!hasCode(error, 'EACCES')) throw error;
    return readSocketsOf(pid, most);
  }
}

function readTargets(pid: number, most: number): string[] {
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

/**
 * The sockets of a process, by what the kernel shows with CAP_SYS_PTRACE alone: only the owner of `/proc/PID/fd` may list it, or
 * a process that may read every file (CAP_DAC_READ_SEARCH). Since Linux 5.14 `fdinfo` has the inode and the mount of each
 * descriptor (commits 3845f256a8b5 and 7bc3fa0172a4), and all sockets of the kernel are on one mount.
 * @throws {Error} as {@link descriptors} does.
 */
function readSocketsOf(pid: number, most: number): string[] {
  const mount = socketMount();
  const path = `/proc/${pid}/fdinfo`;
  const names: string[] = [];
  const directory = opendirSync(path, { bufferSize: 1_024 });
  let count = 0;
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (count++ >= most) throw tooMany(pid, most);
      const info = readFdinfo(`${path}/${entry.name}`);
      if (info?.mount === mount) names.push(`${SOCKET}${info.inode}]`);
    }
  } finally {
    directory.closeSync();
  }
  return names;
}

let knownMount: number | undefined;

/** The number of the mount of all sockets, as a socket of this process shows it. */
function socketMount(): number {
  if (knownMount !== undefined) return knownMount;
  for (const fd of readdirSync('/proc/self/fd')) {
    if (!nameOf(`/proc/self/fd/${fd}`).startsWith(SOCKET)) continue;
    const mount = readFdinfo(`/proc/self/fdinfo/${fd}`)?.mount;
    if (mount !== undefined) return (knownMount = mount);
  }
  throw new KernelError('fd table', 'this process has no socket, or the kernel shows no mount of it');
}

/** Undefined if the descriptor was closed meanwhile, or if the kernel shows no inode (before Linux 5.14). */
function readFdinfo(path: string): { readonly mount: number; readonly inode: number } | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  const [, mount, inode] = /^mnt_id:\s*(\d+)\s+ino:\s*(\d+)/m.exec(text) ?? [];
  return mount === undefined || inode === undefined
    ? undefined
    : { mount: Number(mount), inode: Number(inode) };
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
