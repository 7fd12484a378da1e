import { readPmType } from '../backend/open.js';
import { bad, note, ok, type Check } from './check.js';
import { runInNamespaceOf } from './namespace.js';

/** For good and at once. Older sessions stay with the kernel's own path manager. */
export const PM_TYPE_REMEDY =
  'copy openvpn-conf/subflowd-sysctl.conf to /etc/sysctl.d/subflowd.conf, then sysctl --system; where the server is in ' +
  'a network namespace of its own: nsenter --target PID --net sysctl -w net.mptcp.pm_type=1 before it serves. Sessions ' +
  'that began before cannot be switched until they reconnect';

/** What is so where subflowd runs; servers in other network namespaces have their own. */
export function checkOwnPmType(otherwise: string): Check {
  const pmType = readPmType();
  return pmType === 1
    ? ok('pm_type', 'net.mptcp.pm_type = 1: connections are in userspace’s hands')
    : note('pm_type', `net.mptcp.pm_type = ${pmType ?? 'unknown'}: ${otherwise}`, PM_TYPE_REMEDY);
}

/** What must be true in a server's network namespace for netlink to set priorities. */
export async function checkPathManager(what: string, pid: number): Promise<Check[]> {
  const pmType = Number(await runInNamespaceOf(pid, ['cat', '/proc/sys/net/mptcp/pm_type']));
  if (pmType !== 1) {
    const found = `net.mptcp.pm_type = ${pmType} in its network namespace: no priority can be set by netlink`;
    return [bad(what, found, PM_TYPE_REMEDY)];
  }
  const announced = signalled(await runInNamespaceOf(pid, ['ip', 'mptcp', 'endpoint', 'show']));
  if (announced.length === 0) return [];
  return [
    note(
      what,
      `under net.mptcp.pm_type = 1 the kernel announces none of its endpoints (${announced.join(', ')})`,
      'let clients connect to an address that all their paths reach; they join to that one',
    ),
  ];
}

/** Addresses of endpoints with the flag `signal`, from `ip mptcp endpoint show`. */
export function signalled(endpoints: string): string[] {
  return endpoints
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.includes('signal'))
    .map(([address = '']) => address);
}
