import { dirname } from 'node:path';
import type { ValidRecord } from './record-table.js';

/**
 * Largest number of processes of one user whose records count as one server's, if management does not report the process.
 * OpenVPN is one process, and two during a restart. But whoever has that user's rights can start any number of processes, and
 * subflowd observes each.
 */
export const MAX_PROCESSES = 16;

/**
 * Returns the records of the first {@link MAX_PROCESSES} processes of each user, and as `crowded` the directories that have
 * records of more processes.
 */
export function limitProcesses(records: readonly ValidRecord[]): {
  readonly records: ValidRecord[];
  readonly crowded: readonly string[];
} {
  const byUser = new Map<string, Set<number>>();
  const crowded = new Set<string>();
  const few = records.filter(({ path, record: { pid } }) => {
    const directory = dirname(path);
    const pids = byUser.get(directory) ?? new Set();
    byUser.set(directory, pids);
    if (pids.size < MAX_PROCESSES) pids.add(pid);
    if (pids.has(pid)) return true;
    crowded.add(directory);
    return false;
  });
  return { records: few, crowded: [...crowded] };
}
