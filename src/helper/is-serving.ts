import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { descriptors, socketInodes } from '../backend/netlink/descriptors.js';
import { hasCode } from '../util/errno.js';

/** TCP_LISTEN as /proc/net/tcp has it (include/net/tcp_states.h). */
const LISTEN = '0A';
/** Bytes that are read at once; a line has 150. */
const CHUNK = 65_536;
/** Columns of /proc/net/tcp: `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode`. */
const STATE = 3;
const INODE = 9;

/** Whether a process has a TCP socket that listens, in its own network namespace. An OpenVPN that is a client has none. */
export function isListening(pid: number): boolean {
  const listening = ['tcp', 'tcp6'].flatMap((name) => listeningInodes(`/proc/${pid}/net/${name}`));
  if (listening.length === 0) return false;
  const own = socketInodes(descriptors(pid));
  return listening.some((inode) => own.has(inode));
}

/** The kernel shows listening sockets before all others (net/ipv4/tcp_ipv4.c, tcp_seek_last_pos), so few lines are read. */
function listeningInodes(path: string): number[] {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    // a kernel without IPv6, or the process has ended
    if (hasCode(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
  try {
    const buffer = Buffer.allocUnsafe(CHUNK);
    const inodes: number[] = [];
    let rest = '';
    for (;;) {
      const length = readSync(file, buffer);
      const lines = (rest + buffer.toString('latin1', 0, length)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const columns = line.trim().split(/\s+/);
        if (columns[0] === 'sl') continue;
        if (columns[STATE] !== LISTEN) return inodes;
        inodes.push(Number(columns[INODE]));
      }
      if (length === 0) return inodes;
    }
  } finally {
    closeSync(file);
  }
}

/** When a process started, in ticks since the boot. A later process with the same PID has another value. */
export function startTime(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // the second field is the name, which can contain anything; field 22 is the start (proc_pid_stat(5))
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
