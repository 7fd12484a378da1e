import { readFileSync } from 'node:fs';
import { note, ok, type Check } from '../../model/check.js';

/** Sets the pm_type now and after each boot. The in-kernel path manager keeps connections that began under another pm_type. */
export const PM_TYPE_REMEDY =
  'copy openvpn-conf/subflowd-sysctl.conf to /etc/sysctl.d/subflowd.conf, then sysctl --system; where the server is in ' +
  'a network namespace of its own: nsenter --target PID --net sysctl -w net.mptcp.pm_type=1 before it serves. Sessions ' +
  'that began before cannot be switched until they reconnect';

/** net.mptcp.pm_type of our own network namespace; undefined on kernels without it. */
export function readPmType(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/mptcp/pm_type', 'utf8'));
  } catch {
    return undefined;
  }
}

/** Checks the network namespace where subflowd runs. A server in another one has a pm_type of its own. */
export function checkOwnPmType(): Check {
  const pmType = readPmType();
  return pmType === 1
    ? ok('pm_type', 'net.mptcp.pm_type = 1: userspace manages the paths of new connections')
    : note(
        'pm_type',
        `net.mptcp.pm_type = ${pmType ?? 'unknown'}: sessions of servers here cannot be switched`,
        PM_TYPE_REMEDY,
      );
}
