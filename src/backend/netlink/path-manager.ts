import type { Endpoint } from '../../model/endpoint.js';
import type { Priority } from '../../model/subflow.js';
import { writeAddress } from './address.js';
import { findFamily, type Family } from './family.js';
import { GENERIC_HEADER, writeGenericHeader } from './generic.js';
import { readAttributes, type MessageWriter } from './message.js';
import { NetlinkError } from './netlink-error.js';
import type { RequestSocket } from './socket.js';

// include/uapi/linux/mptcp.h
const FAMILY = 'mptcp_pm';
const EVENTS = 'mptcp_pm_events';
const COMMAND = { getAddress: 3, setFlags: 7, subflowDestroy: 11 } as const;
const ATTR = { address: 1, token: 4, remote: 6 } as const;
const ADDRESS_ATTR = { family: 1, v4: 3, v6: 4, port: 5, flags: 6 } as const;
const ADDRESS_BACKUP = 1 << 2;
const AF_INET = 2;
const AF_INET6 = 10;

/** Both ends of a subflow. */
export interface FourTuple {
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/** The ends of no subflow: TCP gives no socket an address of all zeros. */
const NO_ENDPOINT: Endpoint = { address: '0.0.0.0', port: 1 };

/**
 * The kernel's MPTCP path manager.
 * @throws {NetlinkError} ENOENT without MPTCP; EOPNOTSUPP before Linux 5.19, which took no requests per connection.
 */
export function findPathManager(socket: RequestSocket): Family {
  const family = findFamily(socket, FAMILY, EVENTS);
  if (!family.commands.has(COMMAND.subflowDestroy)) {
    throw new NetlinkError('EOPNOTSUPP', 'its path manager takes no requests for single connections');
  }
  return family;
}

/**
 * Sets this host's wish for one subflow; the kernel tells the peer at once, by an ACK of its own (pm_userspace.c,
 * mptcp_userspace_pm_set_flags). Before Linux 6.11, and stable releases of August 2024, this writes over the peer's wish.
 * @throws {NetlinkError} EINVAL if there is no such connection or subflow, or it is not in userspace's hands; EPERM
 * without CAP_NET_ADMIN.
 */
export function setPriority(
  socket: RequestSocket,
  family: Family,
  token: number,
  { local, remote }: FourTuple,
  priority: Priority,
): void {
  socket.command(family.id, (request) => {
    writeGenericHeader(request, COMMAND.setFlags);
    request.u32(ATTR.token, token);
    request.nested(ATTR.address, () => {
      writeEndpoint(request, local);
      request.u32(ADDRESS_ATTR.flags, priority === 'backup' ? ADDRESS_BACKUP : 0);
    });
    request.nested(ATTR.remote, () => {
      writeEndpoint(request, remote);
    });
  });
}

/**
 * Closes one subflow of a connection in userspace's hands; the kernel sends FIN on it (pm_userspace.c,
 * mptcp_pm_nl_subflow_destroy_doit).
 * @param isMapped an IPv4 subflow is looked for as the IPv6 one that a server has which listens for both: here, unlike
 * where priorities are set, the kernel compares families.
 * @returns false if the connection has no such subflow.
 * @throws {NetlinkError} EINVAL if there is no such connection, or it is not in userspace's hands.
 */
export function destroySubflow(
  socket: RequestSocket,
  family: Family,
  token: number,
  { local, remote }: FourTuple,
  isMapped = false,
): boolean {
  try {
    socket.command(family.id, (request) => {
      writeGenericHeader(request, COMMAND.subflowDestroy);
      request.u32(ATTR.token, token);
      request.nested(ATTR.address, () => {
        writeEndpoint(request, local, isMapped);
      });
      request.nested(ATTR.remote, () => {
        writeEndpoint(request, remote, isMapped);
      });
    });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.code === 'ESRCH') return false;
    throw error;
  }
}

/** Ports of this host that the kernel itself listens on for subflows: `ip mptcp endpoint add ... signal port N`. */
export function endpointPorts(socket: RequestSocket, family: Family): number[] {
  return socket
    .dump(
      family.id,
      (request) => {
        writeGenericHeader(request, COMMAND.getAddress);
      },
      ({ payload }) => {
        const port = readAttributes(payload, GENERIC_HEADER).nested(ATTR.address)?.get(ADDRESS_ATTR.port);
        return port && port.length >= 2 ? port.readUInt16LE(0) : 0;
      },
    )
    .filter((port) => port > 0);
}

/**
 * Whether a connection is in userspace's hands: it began under net.mptcp.pm_type = 1. What tells is the answer to closing
 * a subflow that cannot exist: only where userspace may close any at all does the kernel look for it.
 * @throws {NetlinkError} if there is no such connection, too.
 */
export function isUserspacePm(socket: RequestSocket, family: Family, token: number): boolean {
  try {
    destroySubflow(socket, family, token, { local: NO_ENDPOINT, remote: NO_ENDPOINT });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.code === 'EINVAL') return false;
    throw error;
  }
}

/** @param isMapped an IPv4 address is written as the IPv6 one that it is mapped to. */
function writeEndpoint(request: MessageWriter, { address, port }: Endpoint, isMapped = false): void {
  const isV4 = !address.includes(':');
  const isShort = isV4 && !isMapped;
  request.u16(ADDRESS_ATTR.family, isShort ? AF_INET : AF_INET6);
  const at = request.attribute(isShort ? ADDRESS_ATTR.v4 : ADDRESS_ATTR.v6, isShort ? 4 : 16);
  if (isV4 && isMapped) request.bytes.writeUInt16BE(0xffff, at + 10);
  writeAddress(address, request.bytes, isV4 && isMapped ? at + 12 : at);
  // in the host's byte order, unlike elsewhere
  request.u16(ADDRESS_ATTR.port, port);
}
