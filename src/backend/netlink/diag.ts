import type { Endpoint } from '../../model/endpoint.js';
import { TCP_COUNTERS, type TcpCounterName, type TcpCounters } from '../../model/tcp-counters.js';
import { addressText, writeAddress } from './address.js';
import { writePortFilter } from './port-filter.js';
import { malformed, readAttributes, type Attributes, type Message, type MessageWriter } from './message.js';
import { Refusal } from './netlink-error.js';
import type { RequestSocket, WritePayload } from './socket.js';
import { findSubflow, isSameSubflow, readSubflow, type SubflowInfo } from './subflow-info.js';

// include/uapi/linux/sock_diag.h, inet_diag.h, tcp.h and mptcp.h
const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
/** IPPROTO_MPTCP does not fit in the request's byte for it: the byte is IPPROTO_RAW, and an attribute has the number. */
const IPPROTO_RAW = 255;
const IPPROTO_MPTCP = 262;
const INET_DIAG_REQ_PROTOCOL = 3;
const TCP_ESTABLISHED = 1;
const TCP_LISTEN = 10;
const INET_DIAG_INFO = 2;
/** Without it the kernel leaves out what it knows of a subflow as well (inet_diag.c, inet_sk_diag_fill). */
const INFO_EXTENSION = 1 << (INET_DIAG_INFO - 1);
const NO_COOKIE = 0xffffffff;

/** Offsets in `inet_diag_msg`, and its size, bytes. */
const DIAG_MSG = { family: 0, state: 1, sport: 4, dport: 6, src: 8, dst: 24, if: 40, cookie: 44, inode: 68, size: 72 } as const; // prettier-ignore
/** Offsets in `inet_diag_req_v2`, and its size, bytes. The cookie has two words. */
const DIAG_REQ = { family: 0, protocol: 1, ext: 2, states: 4, sport: 8, dport: 10, src: 12, dst: 28, if: 44, cookie: 48, size: 56 } as const; // prettier-ignore

const TCP_INFO = Object.entries(TCP_COUNTERS).map(
  ([name, { tcpInfo }]) => [name as TcpCounterName, tcpInfo] as const,
);
/** The part of `tcp_info` that is read, bytes. */
const TCP_INFO_BYTES = Math.max(...TCP_INFO.map(([, { offset, size }]) => offset + size));

/** Offsets in `mptcp_info`, and the size of the part that is read, bytes. */
const MPTCP_INFO = { flags: 8, token: 12, size: 16 } as const;
const MPTCP_INFO_FLAG_FALLBACK = 1 << 0;
/** An established socket as sock_diag(7) shows it. */
export interface DiagSocket {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Index of the interface that it is bound to; 0: none. */
  readonly device: number;
  /** The number in `socket:[inode]` of `/proc/PID/fd`; 0: no process has it open, or none has accepted it yet. */
  readonly inode: number;
}

/** A meta-socket. */
export interface MetaSocket extends DiagSocket {
  readonly token: number;
  /** Whether it fell back to plain TCP (RFC 8684 section 3.7). */
  readonly hasFallenBack: boolean;
}

/** A TCP socket. If it is a subflow, its inode is the one of its meta-socket. */
export interface TcpSocket extends DiagSocket {
  /** Unique on this host since boot (include/linux/cookie.h). */
  readonly cookie: number;
  /** Undefined: plain TCP, or fallen back to plain TCP during the handshake. */
  readonly mptcp: SubflowInfo | undefined;
  readonly counters: TcpCounters;
}

/** A listening TCP socket, also that of a listening MPTCP socket. */
export interface ListeningSocket {
  /** Canonical text; `0.0.0.0` or `::` if it accepts connections to any address. */
  readonly address: string;
  /** 1 to 65535, host byte order. */
  readonly port: number;
  /** As {@link DiagSocket.inode}. */
  readonly inode: number;
}

/**
 * All established meta-sockets of the socket's network namespace.
 * @param ports the kernel returns only sockets on these local ports; undefined: all.
 * @throws {NetlinkError}
 */
export function metaSockets(socket: RequestSocket, ports?: ReadonlySet<number>): MetaSocket[] {
  const read = (message: Message): MetaSocket => {
    const { payload } = message;
    const { local, remote } = readFourTuple(message);
    const info = readAttributes(payload, DIAG_MSG.size).offset(INET_DIAG_INFO, MPTCP_INFO.size);
    return {
      local,
      remote,
      device: payload.readUInt32LE(DIAG_MSG.if),
      inode: payload.readUInt32LE(DIAG_MSG.inode),
      hasFallenBack: (payload.readUInt32LE(info + MPTCP_INFO.flags) & MPTCP_INFO_FLAG_FALLBACK) !== 0,
      token: payload.readUInt32LE(info + MPTCP_INFO.token),
    };
  };
  return dump(socket, { protocol: IPPROTO_RAW }, read, (request) => {
    request.u32(INET_DIAG_REQ_PROTOCOL, IPPROTO_MPTCP);
    if (ports) writePortFilter(request, ports);
  });
}

/** All listening TCP sockets of the socket's network namespace. @throws {NetlinkError} */
export function listeningSockets(socket: RequestSocket): ListeningSocket[] {
  return dump(socket, { protocol: IPPROTO_TCP, state: TCP_LISTEN }, (message) => {
    const { address, port } = readFourTuple(message).local;
    return { address, port, inode: message.payload.readUInt32LE(DIAG_MSG.inode) };
  });
}

/**
 * All established TCP sockets of the socket's network namespace, subflows among them.
 * @param last by cookie: the sockets of an earlier observation. An unchanged socket stays the same object.
 * @param ports the kernel returns only sockets on these local ports; undefined: all.
 * @throws {NetlinkError}
 */
export function tcpSockets(
  socket: RequestSocket,
  last: ReadonlyMap<number, TcpSocket> = new Map(),
  ports?: ReadonlySet<number>,
): TcpSocket[] {
  return dump(
    socket,
    { protocol: IPPROTO_TCP },
    (message) => readTcp(message, last),
    (request) => {
      if (ports) writePortFilter(request, ports);
    },
  );
}

/** Reads the subflows with these endpoints with few system calls; undefined for those that are gone. @throws {NetlinkError} */
export function subflowsNow(
  socket: RequestSocket,
  all: readonly Omit<DiagSocket, 'inode'>[],
): (SubflowInfo | undefined)[] {
  const answers = socket.getMany(
    SOCK_DIAG_BY_FAMILY,
    all.length,
    (request, index) => {
      const ends = all[index] as DiagSocket;
      writeRequest(request, { protocol: IPPROTO_TCP }, addressFamilyOf(ends.local), ends);
    },
    ({ payload }) => {
      if (payload.length < DIAG_MSG.size) throw malformed('socket');
      // If no connection has these endpoints, the kernel returns the listening socket that would accept one.
      const found =
        payload[DIAG_MSG.state] === TCP_ESTABLISHED ? readAttributes(payload, DIAG_MSG.size) : undefined;
      const subflow = found && findSubflow(found);
      return { subflow: subflow && readSubflow(subflow) };
    },
  );
  return answers.map((answer) => {
    if (!(answer instanceof Refusal)) return answer.subflow;
    if (answer.code === 'ENOENT') return undefined;
    throw answer;
  });
}

/** Which sockets a request is for; default of `state`: TCP_ESTABLISHED. */
interface SocketSelection {
  readonly protocol: number;
  readonly state?: number;
}

/** Dumps both families: a socket that accepts IPv4 and IPv6 is listed under IPv6, even if its peer uses IPv4. */
function dump<T>(
  socket: RequestSocket,
  selection: SocketSelection,
  read: (message: Message) => T,
  writeMore: WritePayload = () => undefined,
): T[] {
  return [AF_INET, AF_INET6].flatMap((family) =>
    socket.dump(
      SOCK_DIAG_BY_FAMILY,
      (request) => {
        writeRequest(request, selection, family);
        writeMore(request);
      },
      read,
    ),
  );
}

function writeRequest(
  request: MessageWriter,
  { protocol, state = TCP_ESTABLISHED }: SocketSelection,
  family: number,
  ends?: Omit<DiagSocket, 'inode'>,
): void {
  const { bytes } = request;
  const at = request.reserve(DIAG_REQ.size);
  bytes[at + DIAG_REQ.family] = family;
  bytes[at + DIAG_REQ.protocol] = protocol;
  bytes[at + DIAG_REQ.ext] = INFO_EXTENSION;
  bytes.writeUInt32LE(1 << state, at + DIAG_REQ.states);
  if (ends) {
    bytes.writeUInt16BE(ends.local.port, at + DIAG_REQ.sport);
    bytes.writeUInt16BE(ends.remote.port, at + DIAG_REQ.dport);
    writeAddress(ends.local.address, bytes, at + DIAG_REQ.src);
    writeAddress(ends.remote.address, bytes, at + DIAG_REQ.dst);
    bytes.writeUInt32LE(ends.device, at + DIAG_REQ.if);
  }
  bytes.writeUInt32LE(NO_COOKIE, at + DIAG_REQ.cookie);
  bytes.writeUInt32LE(NO_COOKIE, at + DIAG_REQ.cookie + 4);
}

function addressFamilyOf({ address }: Endpoint): number {
  return address.includes(':') ? AF_INET6 : AF_INET;
}

function readFourTuple({ payload }: Message): Pick<DiagSocket, 'local' | 'remote'> {
  if (payload.length < DIAG_MSG.size) throw malformed('socket');
  const size = payload.readUInt8(DIAG_MSG.family) === AF_INET6 ? 16 : 4;
  return {
    local: { address: addressText(payload, DIAG_MSG.src, size), port: payload.readUInt16BE(DIAG_MSG.sport) },
    remote: { address: addressText(payload, DIAG_MSG.dst, size), port: payload.readUInt16BE(DIAG_MSG.dport) },
  };
}

function readTcp(message: Message, last: ReadonlyMap<number, TcpSocket>): TcpSocket {
  const { payload } = message;
  if (payload.length < DIAG_MSG.size) throw malformed('socket');
  const cookie = readU64(payload, DIAG_MSG.cookie);
  const before = last.get(cookie);
  const attributes = readAttributes(payload, DIAG_MSG.size);
  const info = attributes.offset(INET_DIAG_INFO, TCP_INFO_BYTES);
  const subflow = findSubflow(attributes);
  if (before && isUnchanged(before, payload, info, subflow)) return before;
  const { local, remote } = before ?? readFourTuple(message);
  return {
    local,
    remote,
    cookie,
    device: payload.readUInt32LE(DIAG_MSG.if),
    inode: payload.readUInt32LE(DIAG_MSG.inode),
    mptcp: subflow && readSubflow(subflow),
    counters: readCounters(payload, info),
  };
}

/** @param info where `tcp_info` starts in the message. */
function readCounters(payload: Buffer, info: number): TcpCounters {
  const counters: Partial<Record<TcpCounterName, number>> = {};
  for (const [name, { offset, size }] of TCP_INFO) {
    counters[name] = readCounter(payload, info + offset, size);
  }
  return counters;
}

function readCounter(payload: Buffer, at: number, size: number): number {
  return size === 8 ? readU64(payload, at) : payload.readUIntLE(at, size);
}

/**
 * Whether a message shows the members that can change while a socket exists as they were. It makes no object: at rest, nearly
 * all sockets are unchanged, and their objects would be most of the garbage of an observation.
 */
function isUnchanged(
  before: TcpSocket,
  payload: Buffer,
  info: number,
  subflow: Attributes | undefined,
): boolean {
  const { mptcp, counters } = before;
  if (before.device !== payload.readUInt32LE(DIAG_MSG.if)) return false;
  if (before.inode !== payload.readUInt32LE(DIAG_MSG.inode)) return false;
  for (const [name, { offset, size }] of TCP_INFO)
    if (counters[name] !== readCounter(payload, info + offset, size)) return false;
  return mptcp === undefined || subflow === undefined ? mptcp === subflow : isSameSubflow(mptcp, subflow);
}

/** A number of 64 bits. It is not a BigInt, because these would be most of the garbage of an observation. */
function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
}
