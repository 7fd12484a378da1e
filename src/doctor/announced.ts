import { descriptors, socketInodes } from '../backend/netlink/descriptors.js';
import { listeningSockets } from '../backend/netlink/diag.js';
import { NetworkNamespace } from '../backend/netlink/namespace.js';
import type { ServerConfig } from '../config/config.js';
import { note, unknown, type Check } from '../model/check.js';
import type { ServerStatus } from '../openvpn/server-status.js';
import { runInNamespaceOf } from '../util/run-in-namespace.js';

/** What a process has that decides whether clients can join at an announced address. */
export interface AnnouncingProcess {
  /** net.mptcp.pm_type of its network namespace. */
  readonly pmType: number;
  /** The addresses that it listens on; `::` and `0.0.0.0` mean every address. */
  readonly listening: readonly string[];
}

/** Checks `announce` of all servers: whether it has an effect, and whether the server listens at these addresses. */
export async function checkAnnounced(
  configs: readonly ServerConfig[],
  statuses: readonly Pick<ServerStatus, 'name' | 'pids'>[],
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const { name, announce } of configs) {
    for (const pid of announce ? (statuses.find((one) => one.name === name)?.pids ?? []) : []) {
      const what = `server ${name}, process ${pid}`;
      try {
        checks.push(...checkAddresses(what, announce ?? [], await inspect(pid)));
      } catch (error) {
        checks.push(unknown(what, `announce cannot be checked: ${(error as Error).message}`));
      }
    }
  }
  return checks;
}

/** Checks the announced addresses of one process. */
export function checkAddresses(
  what: string,
  addresses: readonly string[],
  { pmType, listening }: AnnouncingProcess,
): Check[] {
  if (pmType !== 1) {
    return [
      note(
        what,
        `announce has no effect under net.mptcp.pm_type = ${pmType}: there the kernel announces, and only its own endpoints`,
        `in its network namespace: ${addresses.map((one) => `ip mptcp endpoint add ${one} signal`).join(' && ')}`,
      ),
    ];
  }
  return addresses
    .filter((address) => !listening.some((one) => accepts(one, address)))
    .map((address) =>
      note(
        what,
        `it announces ${address} and does not listen there: the kernel refuses subflows to that address`,
        'set proto tcp6-server in its config, which listens on IPv6 and IPv4, and no local line; or remove the address from announce',
      ),
    );
}

/** Whether a socket that listens on one address accepts connections to another. OpenVPN lets `::` accept IPv4 too. */
function accepts(listening: string, address: string): boolean {
  return listening === address || listening === '::' || (listening === '0.0.0.0' && !address.includes(':'));
}

async function inspect(pid: number): Promise<AnnouncingProcess> {
  const pmType = Number(await runInNamespaceOf(pid, ['cat', '/proc/sys/net/mptcp/pm_type']));
  const inodes = socketInodes(descriptors(pid));
  const namespace = NetworkNamespace.openFor(pid);
  try {
    const own = listeningSockets(namespace.diag).filter(({ inode }) => inodes.has(inode));
    return { pmType, listening: own.map(({ address }) => address) };
  } finally {
    namespace.close();
  }
}
