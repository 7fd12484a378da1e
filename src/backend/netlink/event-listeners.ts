import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { NetworkNamespace } from './namespace.js';
import { findPathManager } from './path-manager.js';

/** A process on this host that listens to the events of MPTCP's path manager. */
export interface EventListener {
  readonly pid: number;
  /** The path of its program; empty if it cannot be read. */
  readonly program: string;
  /** The inode of the network namespace whose events it receives, as in `/proc/PID/ns/net`. */
  readonly namespace: number;
  /** The inodes of the sockets that it listens with. Several processes can have the same socket. */
  readonly sockets: readonly number[];
}

/** NETLINK_GENERIC, in the column `Eth` of /proc/net/netlink. */
const NETLINK_GENERIC = '16';
/** The column `Groups` has the first 32 groups of a socket (net/netlink/af_netlink.c, netlink_native_seq_show). */
const MAX_GROUP = 32;
const COLUMN = { protocol: 1, groups: 3, inode: 9 } as const;

/** The number of the group `mptcp_pm_events`. @throws {Error} if this kernel has no path manager for userspace. */
export function eventGroup(): number {
  const own = NetworkNamespace.openFor('self');
  try {
    return findPathManager(own.generic).events;
  } finally {
    own.close();
  }
}

/** The inode of the network namespace of a process. @throws {Error} ENOENT if the process is gone. */
export function namespaceOf(pid: number, proc = '/proc'): number {
  return statSync(`${proc}/${pid}/ns/net`).ino;
}

/**
 * Finds all listeners on this host, in every network namespace that has a process. It reads the descriptors of all processes, so
 * it is for doctor, not for the daemon.
 * @param group see {@link eventGroup}.
 * @param proc tests have another directory.
 * @throws {RangeError} if /proc/net/netlink does not show this group.
 */
export function findEventListeners(group: number, proc = '/proc'): EventListener[] {
  if (group < 1 || group > MAX_GROUP) throw new RangeError(`/proc/net/netlink does not show group ${group}`);
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name));
  const namespaces = new Map<number, string>();
  for (const pid of pids) {
    const inode = attempt(() => namespaceOf(Number(pid), proc));
    if (inode !== undefined && !namespaces.has(inode)) namespaces.set(inode, pid);
  }
  const namespaceBySocket = new Map<number, number>();
  for (const [namespace, pid] of namespaces) {
    const table = attempt(() => readFileSync(`${proc}/${pid}/net/netlink`, 'latin1')) ?? '';
    for (const inode of listeningSockets(table, group)) namespaceBySocket.set(Number(inode), namespace);
  }
  if (namespaceBySocket.size === 0) return [];
  return pids.flatMap((pid) => {
    const found = new Map<number, number[]>();
    for (const fd of attempt(() => readdirSync(`${proc}/${pid}/fd`)) ?? []) {
      const target = attempt(() => readlinkSync(`${proc}/${pid}/fd/${fd}`)) ?? '';
      const inode = Number(/^socket:\[(\d+)\]$/.exec(target)?.[1]);
      const namespace = namespaceBySocket.get(inode);
      if (namespace !== undefined) found.set(namespace, [...(found.get(namespace) ?? []), inode]);
    }
    const program = attempt(() => readlinkSync(`${proc}/${pid}/exe`)) ?? '';
    return [...found].map(([namespace, sockets]) => ({ pid: Number(pid), program, namespace, sockets }));
  });
}

/** The inodes of the sockets in a table of /proc/net/netlink that are in a group. */
function listeningSockets(table: string, group: number): string[] {
  return table.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const groups = parseInt(words[COLUMN.groups] ?? '', 16);
    const isMember = words[COLUMN.protocol] === NETLINK_GENERIC && ((groups >>> (group - 1)) & 1) === 1;
    const inode = words[COLUMN.inode];
    return isMember && inode !== undefined ? [inode] : [];
  });
}

/** Undefined if the process ended meanwhile, or if we may not read it. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
