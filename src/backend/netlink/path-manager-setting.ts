import { readFileSync } from 'node:fs';
import { note, ok, type Check } from '../../model/check.js';

/** Settings of MPTCP in one network namespace, by the last part of their names: `path_manager` for `net.mptcp.path_manager`. */
export type MptcpSettings = ReadonlyMap<string, string>;

/** Which path manager the kernel gives to new connections of one network namespace. */
export interface PathManagerSetting {
  /** The setting as sysctl(8) prints it, e.g. `net.mptcp.path_manager = kernel`. */
  readonly text: string;
  /** The same with the value that lets subflowd set priorities. */
  readonly wanted: string;
  /** Whether userspace, and so subflowd, is the path manager. */
  readonly isUserspace: boolean;
}

/**
 * The names of the setting, and the value that stands for userspace. `path_manager` exists since Linux 6.15, and `pm_type`, since
 * 5.19, is deprecated since then (Documentation/networking/mptcp-sysctl.rst). Where both exist, each sets the other.
 */
const NAMES = [
  { name: 'path_manager', userspace: 'userspace' },
  { name: 'pm_type', userspace: '1' },
] as const;

/** Finds the setting; undefined on kernels without a path manager for userspace. */
export function pathManagerSetting(settings: MptcpSettings): PathManagerSetting | undefined {
  for (const { name, userspace } of NAMES) {
    const value = settings.get(name);
    if (value === undefined) continue;
    const full = `net.mptcp.${name}`;
    return {
      text: `${full} = ${value}`,
      wanted: `${full} = ${userspace}`,
      isUserspace: value === userspace,
    };
  }
  return undefined;
}

/** The setting of our own network namespace. */
export function readPathManagerSetting(): PathManagerSetting | undefined {
  const settings = new Map<string, string>();
  for (const { name } of NAMES) {
    try {
      settings.set(name, readFileSync(`/proc/sys/net/mptcp/${name}`, 'utf8').trim());
    } catch {
      // this kernel does not have it
    }
  }
  return pathManagerSetting(settings);
}

/** How to make userspace the path manager, now and after each boot. */
export function pathManagerRemedy({ wanted }: PathManagerSetting): string {
  return (
    'copy openvpn-conf/subflowd-sysctl.conf to /etc/sysctl.d/subflowd.conf, then sysctl --system; where the server is in a network ' +
    `namespace of its own: nsenter --target PID --net sysctl -w ${wanted.replaceAll(' ', '')} before it serves. Sessions that ` +
    'began before cannot be switched until they reconnect'
  );
}

/** Checks the network namespace where subflowd runs. A server in another one has a setting of its own. */
export function checkOwnPathManager(setting = readPathManagerSetting()): Check {
  const name = 'path manager';
  if (setting === undefined)
    return note(name, 'this kernel has no net.mptcp.path_manager and no net.mptcp.pm_type');
  return setting.isUserspace
    ? ok(name, `${setting.text}: userspace manages the paths of new connections`)
    : note(name, `${setting.text}: sessions of servers here cannot be switched`, pathManagerRemedy(setting));
}
