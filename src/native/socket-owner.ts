import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Endpoint } from '../model/endpoint.js';
import { loadAddon } from './addon.js';

/** A TCP socket in the network namespace of this process. */
export interface OwnedSocket {
  /** The user that created or accepted the socket. It does not change when the process changes its user. */
  readonly uid: number;
  /** As in `socket:[inode]` of `/proc/PID/fd`; 0 if no process has the socket, because it is not accepted yet or closed. */
  readonly inode: number;
  readonly isListening: boolean;
}

// include/uapi/linux/netlink.h, sock_diag.h, inet_diag.h and include/net/tcp_states.h
const NETLINK_SOCK_DIAG = 4;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
/** INET_DIAG_NOCOOKIE, in both halves of the cookie. */
const NO_COOKIE = 0xffffffff;
/** A set of bits for `idiag_states`: one for each state. */
const ALL_STATES = 0xffffffff;
const TCP_LISTEN = 10;
const ENOENT = 2;

/** The size of `nlmsghdr`, bytes. */
const HEADER = 16;
/** The size of `inet_diag_req_v2`, and the offset of `inet_diag_sockid` in it, bytes. */
const REQUEST = 56;
const REQUEST_ID = 8;
/** The size of `inet_diag_msg`, and the offsets of its state, `idiag_uid` and `idiag_inode`, bytes. */
const REPLY = 72;
const STATE = 1;
const UID = 64;
const INODE = 68;

/**
 * Finds the socket that receives packets from `remote` to `local`: a connected socket or, if there is none, a listening one.
 * The kernel looks it up as for a packet (sock_diag(7)), so the cost does not depend on the number of sockets.
 * @returns undefined if there is none.
 * @throws {Error} if the kernel has no sock_diag, or if the native addon cannot be loaded.
 */
export function socketOwner(local: Endpoint, remote: Endpoint): OwnedSocket | undefined {
  const socket = new (loadAddon().NetlinkSocket)(NETLINK_SOCK_DIAG, undefined);
  try {
    socket.send(request(local, remote));
    const reply = Buffer.alloc(4096);
    const length = socket.receive(reply) ?? 0;
    // an error is the header, and then a negative errno of four bytes (struct nlmsgerr)
    if (length >= HEADER + 4 && reply.readUInt16LE(4) === NLMSG_ERROR) {
      const errno = -reply.readInt32LE(HEADER);
      if (errno === ENOENT) return undefined;
      throw new Error(`sock_diag replies with errno ${errno}`);
    }
    if (length < HEADER + REPLY) throw new Error('sock_diag sends no reply');
    const found = reply.subarray(HEADER);
    return {
      uid: found.readUInt32LE(UID),
      inode: found.readUInt32LE(INODE),
      isListening: found.readUInt8(STATE) === TCP_LISTEN,
    };
  } finally {
    socket.close();
  }
}

/** A request for one socket: `nlmsghdr`, then `inet_diag_req_v2`. */
function request(local: Endpoint, remote: Endpoint): Buffer {
  const bytes = Buffer.alloc(HEADER + REQUEST);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
  bytes.writeUInt16LE(NLM_F_REQUEST, 6);
  bytes.writeUInt8(isIPv4(local.address) ? AF_INET : AF_INET6, HEADER);
  bytes.writeUInt8(IPPROTO_TCP, HEADER + 1);
  bytes.writeUInt32LE(ALL_STATES, HEADER + 4);
  // inet_diag_sockid: ports and addresses in network byte order, the device, the cookie
  const id = HEADER + REQUEST_ID;
  bytes.writeUInt16BE(local.port, id);
  bytes.writeUInt16BE(remote.port, id + 2);
  bytes.set(ipaddr.parse(local.address).toByteArray(), id + 4);
  bytes.set(ipaddr.parse(remote.address).toByteArray(), id + 20);
  // The device stays 0, which means any.
  bytes.writeUInt32LE(NO_COOKIE, id + 40);
  bytes.writeUInt32LE(NO_COOKIE, id + 44);
  return bytes;
}
