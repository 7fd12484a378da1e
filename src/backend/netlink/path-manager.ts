import type { Endpoint, FourTuple } from '../../model/endpoint.js';
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

/** An endpoint that no subflow has: an established TCP socket never has the address 0.0.0.0. */
const NO_ENDPOINT: Endpoint = { address: '0.0.0.0', port: 1 };

/**
 * Finds the netlink family of the kernel's MPTCP path manager.
 * @throws {NetlinkError} ENOENT without MPTCP; EOPNOTSUPP before Linux 5.19, which has no userspace path manager.
 */
export function findPathManager(socket: RequestSocket): Family {
  const family = findFamily(socket, FAMILY, EVENTS);
  if (!family.commands.has(COMMAND.subflowDestroy)) {
    throw new NetlinkError('EOPNOTSUPP', 'this kernel has no userspace path manager');
  }
  return family;
}

/** A priority of one subflow. */
export interface SubflowPriority {
  readonly token: number;
  readonly fourTuple: FourTuple;
  readonly priority: Priority;
}

/**
 * Sets our priorities of several subflows (MPTCP_PM_CMD_SET_FLAGS), with few system calls. The kernel sends MP_PRIO to each
 * peer at once, in an ACK of its own (pm_userspace.c, mptcp_userspace_pm_set_flags). Before Linux 6.11 and the stable releases
 * of August 2024, this also overwrites the peer's priority.
 * @returns for each the kernel's refusal, undefined if it was set. EINVAL: there is no such connection or subflow, or the
 * in-kernel path manager manages it; EPERM without CAP_NET_ADMIN.
 * @throws {NetlinkError} if the kernel cannot be asked.
 */
export function setPriorities(
  socket: RequestSocket,
  family: Family,
  subflows: readonly SubflowPriority[],
): (NetlinkError | undefined)[] {
  return socket.commands(family.id, subflows.length, (request, index) => {
    const {
      token,
      fourTuple: { local, remote },
      priority,
    } = subflows[index] as SubflowPriority;
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
 * Closes one subflow of a connection of the userspace path manager (MPTCP_PM_CMD_SUBFLOW_DESTROY). The kernel sends FIN on it
 * (pm_userspace.c, mptcp_pm_nl_subflow_destroy_doit).
 * @param isMapped whether IPv4 addresses are sent as IPv4-mapped IPv6 ones. A socket that accepts both families has these, and
 * here the kernel compares families, unlike in {@link setPriorities}.
 * @returns false if the connection has no such subflow.
 * @throws {NetlinkError} EINVAL if there is no such connection, or if the in-kernel path manager manages it.
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

/** Local ports that the kernel itself listens on for subflows: `ip mptcp endpoint add ... signal port N`. */
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
 * Whether the userspace path manager manages a connection (pm.h, mptcp_pm_is_userspace): it connected under
 * net.mptcp.path_manager = userspace. This asks the kernel to close a subflow that cannot exist: the kernel answers EINVAL if the in-kernel
 * path manager manages the connection, and otherwise that there is no such subflow.
 * @returns false also if there is no such connection. @throws {NetlinkError} for every other answer.
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

/** @param isMapped an IPv4 address is written as the IPv4-mapped IPv6 one. */
function writeEndpoint(request: MessageWriter, { address, port }: Endpoint, isMapped = false): void {
  const isV4 = !address.includes(':');
  const isShort = isV4 && !isMapped;
  request.u16(ADDRESS_ATTR.family, isShort ? AF_INET : AF_INET6);
  const at = request.attribute(isShort ? ADDRESS_ATTR.v4 : ADDRESS_ATTR.v6, isShort ? 4 : 16);
  if (isV4 && isMapped) request.bytes.writeUInt16BE(0xffff, at + 10);
  writeAddress(address, request.bytes, isV4 && isMapped ? at + 12 : at);
  // in host byte order, unlike in sock_diag
  request.u16(ADDRESS_ATTR.port, port);
}
