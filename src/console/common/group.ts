import { chownSync, statSync } from 'node:fs';
import { hasCode } from '../../util/errno.js';
import { groupNumber } from '../../util/groups.js';

/**
 * Returns the number of a group of /etc/group.
 * @throws {Error} if there is no such group; the message says how to make it.
 */
export function requireGroup(name: string): number {
  const gid = groupNumber(name);
  if (gid === undefined)
    throw new Error(`there is no group ${name}: make it (groupadd ${name}) or change [console] group`);
  return gid;
}

/**
 * Gives a console's socket to a group.
 * @throws {Error} if this process may not do that; the message says how to fix it. Root may give a file to any group; the
 * owner may give it to a group that the owner is a member of.
 */
export function giveToGroup(
  socket: string,
  { name, gid }: { readonly name: string; readonly gid: number },
): void {
  // a new file has the group of this process, and the daemon's unit refuses chown(2)
  if (statSync(socket).gid === gid) return;
  try {
    chownSync(socket, -1, gid);
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'ENOSYS')) throw error;
    throw new Error(
      `subflowd may not give its socket to group ${name}: set [console] group = subflowd, or add to its unit ` +
        `(systemctl edit subflowd): [Service] SupplementaryGroups=${name} and SystemCallFilter=@chown`,
      { cause: error },
    );
  }
}
