import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Cleanup } from './cleanup.js';
import type { Namespace } from './namespace.js';

/** The implementation of MPTCP in the running kernel. */
export type MptcpFamily = 'upstream' | 'multipath-tcp.org';

const settings = '/proc/sys/net/mptcp';

export function mptcpFamily(): MptcpFamily {
  return existsSync(path.join(settings, 'mptcp_enabled')) ? 'multipath-tcp.org' : 'upstream';
}

/**
 * Lets a kernel of multipath-tcp.org open a subflow from each address to each address of the peer, as in the paper. Its
 * settings apply to the whole machine and not to a namespace. `cleanup` restores them.
 */
export async function turnOnFullmesh(cleanup: Cleanup): Promise<void> {
  for (const [name, value] of [
    ['mptcp_enabled', '1'],
    ['mptcp_path_manager', 'fullmesh'],
    ['mptcp_scheduler', 'default'],
  ] as const) {
    const file = path.join(settings, name);
    // The oldest kernels have no such settings: a full mesh and one scheduler are built in.
    if (!existsSync(file)) continue;
    const before = (await readFile(file, 'utf8')).trim();
    if (before === value) continue;
    await writeFile(file, value).catch((cause: unknown) => {
      throw new Error(`this kernel has no net.mptcp.${name} = ${value}`, { cause });
    });
    cleanup.add(() => writeFile(file, before));
  }
}

/**
 * Sends RTM_NEWLINK with IFF_NOMULTIPATH (include/uapi/linux/if.h of multipath-tcp.org). In iproute-mptcp this is `ip link set
 * dev DEVICE multipath off`. The usual iproute2 cannot set this flag, ifconfig has only 16 flags, and Node has no netlink
 * sockets. Every Debian has perl.
 */
const setFlag = String.raw`
  my ($device, $flag) = ($ARGV[0], 0x80000);
  socket(my $netlink, 16, 3, 0) or die "netlink: $!\n";
  my $body = pack("CxSlLL SSa16", 0, 0, 0, $flag, $flag, 20, 3, $device);
  defined send($netlink, pack("LSSLL", 16 + length $body, 16, 5, 1, 0) . $body, 0) or die "netlink: $!\n";
  recv($netlink, my $answer, 4096, 0);
  if ($! = -unpack("x16l", $answer)) { die "$device: $!\n" }
`;

/** Excludes a device's addresses from the full mesh: no subflow starts there, and they are not announced to the peer. */
export async function multipathOff(namespace: Namespace, device: string): Promise<void> {
  await namespace.run('perl', ['-e', setFlag, device]);
}
