import { hookUser } from '../../openvpn/events-directory.js';

/** Whether a user may do everything on this host (root), or runs this process. */
export function isRoot(uid: number | undefined): boolean {
  return uid === 0 || (uid !== undefined && uid === process.geteuid?.());
}

/** The name of a user for a message: its number if it has no name, `unknown` if `uid` is undefined. */
export function userName(uid: number | undefined): string {
  return uid === undefined ? 'unknown' : hookUser(uid).name;
}
