import { chownSync } from 'node:fs';
import { groupNumber } from '../../util/groups.js';

/**
 * The number of a group of /etc/group.
 * @throws {Error} naming the group if it is not there, and how to make it.
 */
export function groupId(name: string): number {
  const gid = groupNumber(name);
  if (gid === undefined)
    throw new Error(`there is no group ${name}: make it (groupadd ${name}) or change [console] group`);
  return gid;
}

/**
 * Gives a console's socket to a group.
 * @throws {Error} if this process may not do that, with what it takes: only root, or the owner who is a member itself.
 */
export function giveToGroup(
  socket: string,
  { name, gid }: { readonly name: string; readonly gid: number },
): void {
  try {
    chownSync(socket, -1, gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    throw new Error(
      `subflowd is not a member of group ${name}: change [console] group, or add to its unit ` +
        `(systemctl edit subflowd): [Service] SupplementaryGroups=${name}`,
      { cause: error },
    );
  }
}
