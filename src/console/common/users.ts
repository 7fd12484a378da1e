import { userOrNumber, userOf } from '../../util/accounts.js';
import { isListedMember } from '../../util/groups.js';

/** Whether a user may do everything on this host (root), or runs this process. */
export function isRoot(uid: number | undefined): boolean {
  return uid === 0 || (uid !== undefined && uid === process.geteuid?.());
}

/** The name of a user for a message: its number if it has no name, `unknown` if `uid` is undefined. */
export function userName(uid: number | undefined): string {
  return uid === undefined ? 'unknown' : userOrNumber(uid).name;
}

/** Whether a user is a member of a group by passwd(5) and group(5). Members that only a directory service knows are not. */
export function isInGroup(uid: number, gid: number): boolean {
  const user = userOf(uid);
  return user !== undefined && (user.gid === gid || isListedMember(user.name, gid));
}
