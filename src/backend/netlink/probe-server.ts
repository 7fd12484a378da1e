import { bad, note, type Check } from '../../model/check.js';
import { runInNamespaceOf } from '../../util/run-in-namespace.js';
import { readMptcpSettings } from './mptcp-settings.js';
import { pathManagerRemedy, pathManagerSetting } from './path-manager-setting.js';

/**
 * Checks whether netlink can set priorities in the network namespace of a server.
 * @param name of the checks.
 * @throws {Error} as {@link runInNamespaceOf} does.
 */
export async function probeServerForNetlink(name: string, pid: number): Promise<readonly Check[]> {
  const setting = pathManagerSetting(await readMptcpSettings(pid));
  // a kernel without the setting has no path manager for userspace, which the check of the host reports
  if (setting === undefined) return [];
  if (!setting.isUserspace) {
    const found = `${setting.text} in its network namespace: netlink cannot set priorities there`;
    return [bad(name, found, pathManagerRemedy(setting))];
  }
  const announced = signalAddresses(await runInNamespaceOf(pid, ['ip', 'mptcp', 'endpoint', 'show']));
  if (announced.length === 0) return [];
  return [
    note(
      name,
      `under ${setting.text} the kernel does not announce its endpoints (${announced.join(', ')})`,
      'write them as announce in the [openvpn NAME] of the server, unless they are there; or let clients connect to an ' +
        'address that all their paths reach',
    ),
  ];
}

/** Addresses of endpoints with the flag `signal`, from `ip mptcp endpoint show`. */
function signalAddresses(endpoints: string): string[] {
  return endpoints
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.includes('signal'))
    .map(([address = '']) => address);
}
