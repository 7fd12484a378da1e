import { loadAddon, type ShareableNetlinkSocket } from '../../native/addon.js';
import { eventGroup } from './event-listeners.js';

// include/uapi/linux/netlink.h
const NETLINK_GENERIC = 16;

/**
 * Opens a socket that listens to the events of the kernel's path manager and receives none. While any process has it, the
 * kernel lets clients join connections of the userspace path manager, on the whole host.
 * @throws {Error} if this kernel has no path manager for userspace, or EPERM without CAP_NET_ADMIN.
 */
export function openSilentListener(): ShareableNetlinkSocket {
  const group = eventGroup();
  const socket = new (loadAddon().NetlinkSocket)(NETLINK_GENERIC, undefined);
  try {
    // first, so that no event comes before
    socket.dropAll();
    socket.join(group);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
