import { existsSync } from 'node:fs';
import { NetlinkBackend } from '../../src/backend/netlink.js';

/** @returns why the experiment cannot run on this machine's kernel through netlink; undefined if it can. */
export async function hostLacks(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'only root can create network namespaces: run it as root';
  if (!existsSync('/dev/net/tun'))
    return 'there is no /dev/net/tun: modprobe tun; in a container, give it the device';
  try {
    await (await NetlinkBackend.open()).close();
    return undefined;
  } catch (error) {
    const { message, remedy } = error as Error & { remedy?: string };
    return remedy === undefined ? message : `${message}: ${remedy}`;
  }
}
