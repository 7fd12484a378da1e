import { readAccounts } from './accounts.js';

/** The number of a group in /etc/group; undefined if it is not there. Node has no getgrnam(3). */
export function groupNumber(name: string): number | undefined {
  return groups().find((group) => group.name === name)?.gid;
}

/** Whether /etc/group lists a user as a member of a group. It does not list the primary group of a user, which is in /etc/passwd. */
export function isListedMember(user: string, gid: number): boolean {
  return groups().some((group) => group.gid === gid && group.members.includes(user));
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The rows of /etc/group (group(5)); none if it cannot be read. */
function groups(): Group[] {
  let rows: string[][];
  try {
    rows = readAccounts('/etc/group');
  } catch {
    return [];
  }
  return rows.flatMap(([name, , gid, members = '']) => {
    const isUsable = name !== undefined && name !== '' && /^\d+$/.test(gid ?? '');
    return isUsable
      ? [{ name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') }]
      : [];
  });
}
