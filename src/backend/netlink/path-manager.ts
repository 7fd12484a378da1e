import type { Endpoint } from '../../endpoint.js';
import type { Priority } from '../backend.js';
import { writeAddress } from './address.js';
import { findFamily, type Family } from './family.js';
import { writeGenericHeader } from './generic.js';
import type { MessageWriter } from './message.js';
import { NetlinkError } from './netlink-error.js';
import type { RequestSocket } from './socket.js';

// include/uapi/linux/mptcp.h
const FAMILY = 'mptcp_pm';
const EVENTS = 'mptcp_pm_events';
const COMMAND = { setFlags: 7, subflowDestroy: 11 } as const;
const ATTR = { address: 1, token: 4, remote: 6 } as const;
const ADDRESS_ATTR = { family: 1, v4: 3, v6: 4, port: 5, flags: 6 } as const;
const ADDRESS_BACKUP = 1 << 2;
const AF_INET = 2;
const AF_INET6 = 10;

/** The ends of no subflow: TCP gives no socket an address of all zeros. */
const NOWHERE: Endpoint = { address: '0.0.0.0', port: 1 };

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
  { local, remote }: { readonly local: Endpoint; readonly remote: Endpoint },
  priority: Priority,
): void {
  socket.command(family.id, (request) => {
    writeGenericHeader(request, COMMAND.setFlags);
    request.u32(ATTR.token, token);
    request.nested(ATTR.address, () => {
      writeEnd(request, local);
      request.u32(ADDRESS_ATTR.flags, priority === 'backup' ? ADDRESS_BACKUP : 0);
    });
    request.nested(ATTR.remote, () => {
      writeEnd(request, remote);
    });
  });
}

/**
 * Whether a connection is in userspace's hands: it began under net.mptcp.pm_type = 1. What tells is the answer to closing
 * a subflow that cannot exist: only where userspace may close any at all does the kernel look for it.
 * @throws {NetlinkError} if there is no such connection, too.
 */
export function isUserspace(socket: RequestSocket, family: Family, token: number): boolean {
  try {
    socket.command(family.id, (request) => {
      writeGenericHeader(request, COMMAND.subflowDestroy);
      request.u32(ATTR.token, token);
      for (const end of [ATTR.address, ATTR.remote]) {
        request.nested(end, () => {
          writeEnd(request, NOWHERE);
        });
      }
    });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    if (error.code === 'ESRCH') return true;
    if (error.code === 'EINVAL') return false;
    throw error;
  }
  return true;
}

function writeEnd(request: MessageWriter, { address, port }: Endpoint): void {
  const isV4 = !address.includes(':');
  request.u16(ADDRESS_ATTR.family, isV4 ? AF_INET : AF_INET6);
  const at = request.attribute(isV4 ? ADDRESS_ATTR.v4 : ADDRESS_ATTR.v6, isV4 ? 4 : 16);
  writeAddress(address, request.bytes, at);
  // in the host's byte order, unlike elsewhere
  request.u16(ADDRESS_ATTR.port, port);
}
