import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What kinds of sockets a process has, as `/proc` tells without a look at kernel memory. */
export interface SocketKinds {
  /** Local addresses in the kernel's hexadecimal form, only to be counted. */
  readonly udp: number;
  readonly tcpListeners: number;
  /** Sockets in no table of TCP, UDP, unix, netlink or packet sockets: MPTCP's have no table in /proc. */
  readonly mptcp: number;
  /** Whether it holds /dev/net/tun: with data-channel offload it does not. */
  readonly tun: boolean;
}

const TCP_LISTEN = '0A';
/** Columns of the tables in /proc/PID/net that hold a socket's inode; /proc/net/tcp and others (man 5 proc). */
const INODE_COLUMN = { tcp: 9, tcp6: 9, udp: 9, udp6: 9, unix: 6, netlink: 9, packet: 8 } as const;

/** @throws {Error} if the process is gone or not ours to look at. */
export function socketKinds(pid: number): SocketKinds {
  const inodes = new Set<string>();
  let tun = false;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    let target;
    try {
      target = readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      continue; // closed meanwhile
    }
    tun ||= target === '/dev/net/tun';
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  let [udp, tcpListeners] = [0, 0];
  const left = new Set(inodes);
  for (const [table, column] of Object.entries(INODE_COLUMN)) {
    for (const row of rows(pid, table)) {
      const inode = row[column];
      if (inode === undefined || !inodes.has(inode)) continue;
      left.delete(inode);
      if (table.startsWith('udp')) udp++;
      if (table.startsWith('tcp') && row[3] === TCP_LISTEN) tcpListeners++;
    }
  }
  return { udp, tcpListeners, mptcp: left.size, tun };
}

function rows(pid: number, table: string): string[][] {
  try {
    return readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return []; // a kernel without that protocol
  }
}
