import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Endpoint } from '../model/endpoint.js';
import { loadAddon } from './addon.js';

/** A TCP socket of this process's network namespace. */
export interface OwnedSocket {
  /** Of the process that made it, or accepted it: it stays when that process becomes another user. */
  readonly uid: number;
  /** What `/proc/PID/fd` calls `socket:[inode]`; 0: no process has it, as it is not accepted yet or was closed. */
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
const NO_COOKIE = 0xffffffff;
const TCP_LISTEN = 10;
const ENOENT = 2;

/** `nlmsghdr`, bytes. */
const HEADER = 16;
/** `inet_diag_req_v2`, and where `inet_diag_sockid` lies in it. */
const REQUEST = 56;
const REQUEST_ID = 8;
/** `inet_diag_msg`, and where its state, `idiag_uid` and `idiag_inode` lie. */
const ANSWER = 72;
const STATE = 1;
const UID = 64;
const INODE = 68;

/**
 * The socket that takes what comes from `remote` to `local`: a connected one or, where none is, the one that listens. The
 * kernel finds it as it would for a packet, however many sockets there are (sock_diag(7)).
 * @returns undefined if there is none.
 * @throws {Error} if the kernel cannot be asked: it has no sock_diag, or the native addon cannot be loaded.
 */
export function socketOwner(local: Endpoint, remote: Endpoint): OwnedSocket | undefined {
  const socket = new (loadAddon().NetlinkSocket)(NETLINK_SOCK_DIAG, undefined);
  try {
    socket.send(request(local, remote));
    const answer = Buffer.alloc(4096);
    const length = socket.receive(answer) ?? 0;
    if (length >= HEADER + 4 && answer.readUInt16LE(4) === NLMSG_ERROR) {
      const errno = -answer.readInt32LE(HEADER);
      if (errno === ENOENT) return undefined;
      throw new Error(`sock_diag answers with errno ${errno}`);
    }
    if (length < HEADER + ANSWER) throw new Error('sock_diag gives no answer');
    const found = answer.subarray(HEADER);
    return {
      uid: found.readUInt32LE(UID),
      inode: found.readUInt32LE(INODE),
      isListening: found.readUInt8(STATE) === TCP_LISTEN,
    };
  } finally {
    socket.close();
  }
}

function request(local: Endpoint, remote: Endpoint): Buffer {
  const bytes = Buffer.alloc(HEADER + REQUEST);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
  bytes.writeUInt16LE(NLM_F_REQUEST, 6);
  bytes.writeUInt8(isIPv4(local.address) ? AF_INET : AF_INET6, HEADER);
  bytes.writeUInt8(IPPROTO_TCP, HEADER + 1);
  bytes.writeUInt32LE(0xffffffff, HEADER + 4);
  const id = HEADER + REQUEST_ID;
  bytes.writeUInt16BE(local.port, id);
  bytes.writeUInt16BE(remote.port, id + 2);
  bytes.set(ipaddr.parse(local.address).toByteArray(), id + 4);
  bytes.set(ipaddr.parse(remote.address).toByteArray(), id + 20);
  // no device; no cookie
  bytes.writeUInt32LE(NO_COOKIE, id + 40);
  bytes.writeUInt32LE(NO_COOKIE, id + 44);
  return bytes;
}
