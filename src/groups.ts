import { readRegularFileSync } from './regular-file.js';

/** Bytes; a directory service's groups are not in it. */
const LARGEST_FILE = 1 << 24;

/** The number of a group of /etc/group, undefined if it is not there; Node has no getgrnam(3). */
export function groupNumber(name: string): number | undefined {
  let text: string;
  try {
    text = readRegularFileSync('/etc/group', LARGEST_FILE).toString('utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) {
    const [group, , gid] = line.split(':');
    if (group === name && gid !== undefined && /^\d+$/.test(gid)) return Number(gid);
  }
  return undefined;
}
