import { existsSync, readFileSync } from 'node:fs';
import { descriptors, socketInodes } from '../backend/netlink/descriptors.js';
import { runInNamespaceOf } from '../util/run-in-namespace.js';

/** The kinds of sockets of a process, as `/proc` and ss(8) show them. */
export interface SocketKinds {
  /** Number of UDP sockets. */
  readonly udp: number;
  readonly mptcpListeners: number;
  readonly plainListeners: number;
  /** `ADDRESS:PORT` of the peers with plain TCP, without those on this host, which are not clients. */
  readonly plainPeers: readonly string[];
  /** Whether it has /dev/net/tun open. With data-channel offload it does not. */
  readonly tun: boolean;
}

/** Column of the tables in /proc/PID/net that holds a socket's inode (man 5 proc). */
const INODE_COLUMN = 9;
/**
 * Exists only on kernels of multipath-tcp.org. They use MPTCP on every TCP socket, and only the backend can find out
 * which peers use plain TCP.
 */
const MPTCP_ORG_SYSCTL = '/proc/sys/net/mptcp/mptcp_enabled';

/**
 * Finds the kinds of sockets of a process.
 * @throws {Error} if the process is gone, if we may not read it, or if ss fails.
 */
export async function socketKinds(pid: number): Promise<SocketKinds> {
  const names = descriptors(pid);
  const inodes = socketInodes(names);
  const udp = ['udp', 'udp6']
    .flatMap((table) => inodesIn(pid, table))
    .filter((inode) => inodes.has(inode)).length;
  const tcp = parseTcp(await tcpSockets(pid))
    .filter(({ inode }) => inodes.has(inode))
    .map((socket) => ({ ...socket, isMptcp: socket.isMptcp || existsSync(MPTCP_ORG_SYSCTL) }));
  const listeners = tcp.filter(({ state }) => state === 'LISTEN');
  return {
    udp,
    mptcpListeners: listeners.filter(({ isMptcp }) => isMptcp).length,
    plainListeners: listeners.filter(({ isMptcp }) => !isMptcp).length,
    plainPeers: tcp
      .filter(({ state, isMptcp, peer }) => state === 'ESTAB' && !isMptcp && !isLoopback(peer))
      .map(({ peer }) => peer),
    tun: names.includes('/dev/net/tun'),
  };
}

/** One line of `ss --tcp --all --info --extended --oneline`. */
export interface TcpSocket {
  readonly state: string;
  readonly peer: string;
  readonly inode: number;
  /**
   * Whether it is a subflow: its upper-layer protocol is that of MPTCP. The inode does not show this: the kernel
   * gives the subflows of an MPTCP socket the inode of that socket (net/mptcp/subflow.c,
   * mptcp_subflow_create_socket).
   */
  readonly isMptcp: boolean;
}

/** Parses the output of ss. Sockets without an inode (time-wait) are left out. */
export function parseTcp(text: string): TcpSocket[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const [state = '', , , , peer = ''] = words;
    const inode = words.find((word) => /^ino:[1-9]\d*$/.test(word))?.slice(4);
    const isMptcp = words.includes('tcp-ulp-mptcp');
    return inode === undefined
      ? []
      : [{ state, peer: peer.replace('[::ffff:', '['), inode: Number(inode), isMptcp }];
  });
}

function isLoopback(peer: string): boolean {
  return /^\[?(127\.|::1\])/.test(peer);
}

async function tcpSockets(pid: number): Promise<string> {
  const ss = ['ss', '--no-header', '--tcp', '--all', '--numeric', '--info', '--extended', '--oneline'];
  return runInNamespaceOf(pid, ss);
}

function inodesIn(pid: number, table: string): number[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/net/${table}`, 'utf8');
  } catch {
    return []; // a kernel without that protocol
  }
  return text.split('\n').map((line) => Number(line.trim().split(/\s+/)[INODE_COLUMN]));
}
