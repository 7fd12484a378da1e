/** `genlmsghdr`, bytes (include/uapi/linux/genetlink.h). */
export const GENERIC_HEADER = 4;
/** Of the family mptcp_pm (MPTCP_PM_VER); the controller of families takes any. */
const VERSION = 1;

/** A generic netlink request's payload. */
export function genericRequest(command: number, attributes: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([command, VERSION, 0, 0]), ...attributes]);
}
