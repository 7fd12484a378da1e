import { readRegularFileSync } from '../regular-file.js';

/** Bytes; a directory service's groups are not in it. */
const LARGEST_FILE = 1 << 24;

/**
 * The number of a group of /etc/group; Node has no getgrnam(3).
 * @throws {Error} naming the group if it is not there, and how to make it.
 */
export function groupId(name: string): number {
  for (const line of readRegularFileSync('/etc/group', LARGEST_FILE).toString('utf8').split('\n')) {
    const [group, , gid] = line.split(':');
    if (group === name && gid !== undefined) return Number(gid);
  }
  throw new Error(`there is no group ${name}: make it (groupadd ${name}) or change [console] group`);
}
