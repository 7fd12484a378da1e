import { writeAddress } from './address.js';
import type { Family } from './family.js';
import { writeGenericHeader } from './generic.js';
import type { RequestSocket } from './socket.js';

// include/uapi/linux/mptcp.h
const ANNOUNCE = 8;
const ATTR = { address: 1, token: 4 } as const;
const ADDRESS_ATTR = { family: 1, id: 2, v4: 3, v6: 4, flags: 6 } as const;
const FLAG_SIGNAL = 1 << 0;
const AF_INET = 2;
const AF_INET6 = 10;

/**
 * Announces an address of this host to the client of a connection (MPTCP_PM_CMD_ANNOUNCE). The kernel sends ADD_ADDR at once,
 * in an ACK of its own, and again until the client has answered (net.mptcp.add_addr_timeout). It names no port, so the client
 * connects to the port of its first subflow.
 * @param id of the address on this connection, 1 to 255.
 * @throws {NetlinkError} EINVAL if there is no such connection, if the in-kernel path manager manages it, or if another
 * address of the connection has this ID (pm_userspace.c, mptcp_userspace_pm_append_new_local_addr); EPERM without
 * CAP_NET_ADMIN.
 */
export function announceAddress(
  socket: RequestSocket,
  family: Family,
  token: number,
  address: string,
  id: number,
): void {
  const isV4 = !address.includes(':');
  socket.command(family.id, (request) => {
    writeGenericHeader(request, ANNOUNCE);
    request.u32(ATTR.token, token);
    request.nested(ATTR.address, () => {
      request.u16(ADDRESS_ATTR.family, isV4 ? AF_INET : AF_INET6);
      request.bytes[request.attribute(ADDRESS_ATTR.id, 1)] = id;
      writeAddress(
        address,
        request.bytes,
        request.attribute(isV4 ? ADDRESS_ATTR.v4 : ADDRESS_ATTR.v6, isV4 ? 4 : 16),
      );
      request.u32(ADDRESS_ATTR.flags, FLAG_SIGNAL);
    });
  });
}
