import type { MessageWriter } from './message.js';

/** `genlmsghdr`, bytes (include/uapi/linux/genetlink.h). */
export const GENERIC_HEADER = 4;
/** Of the family mptcp_pm (MPTCP_PM_VER); the controller of families takes any. */
const VERSION = 1;

/** What a generic netlink request's payload begins with; attributes follow. */
export function writeGenericHeader(request: MessageWriter, command: number): void {
  const at = request.reserve(GENERIC_HEADER);
  request.bytes[at] = command;
  request.bytes[at + 1] = VERSION;
}
