import { readAccounts } from './accounts.js';

/** The number of a group of /etc/group, undefined if it is not there; Node has no getgrnam(3). */
export function groupNumber(name: string): number | undefined {
  let rows: string[][];
  try {
    rows = readAccounts('/etc/group');
  } catch {
    return undefined;
  }
  for (const [group, , gid] of rows) {
    if (group === name && gid !== undefined && /^\d+$/.test(gid)) return Number(gid);
  }
  return undefined;
}
