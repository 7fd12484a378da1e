import { bad, ok, type Check } from '../../model/check.js';
import { REPORT_THIS } from '../remedies.js';
import { NetlinkBackend } from '../netlink.js';
import { checkOwnPathManager } from './path-manager-setting.js';

/** Checks whether the backend netlink works on this host. */
export async function probeNetlink(): Promise<readonly Check[]> {
  try {
    const backend = await NetlinkBackend.open();
    const { description } = backend;
    await backend.close();
    return [ok('netlink', description), checkOwnPathManager()];
  } catch (error) {
    const { message, remedy } = error as Error & { remedy?: string };
    return [bad('netlink', message, remedy ?? REPORT_THIS)];
  }
}
