import type { MessageWriter } from './message.js';

/** `genlmsghdr`, bytes (include/uapi/linux/genetlink.h). */
export const GENERIC_HEADER = 4;
/** MPTCP_PM_VER. The family nlctrl accepts any version. */
const VERSION = 1;

/** Writes the header of a generic netlink request. Attributes follow it. */
export function writeGenericHeader(request: MessageWriter, command: number): void {
  const at = request.reserve(GENERIC_HEADER);
  request.bytes[at] = command;
  request.bytes[at + 1] = VERSION;
}
