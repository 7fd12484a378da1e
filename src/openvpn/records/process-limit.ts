import { dirname } from 'node:path';
import type { ValidRecord } from './record-table.js';

/**
 * Processes of one user whose records are one server's, where no management says which process it is. OpenVPN is one, and
 * for a moment two; but who has that user's rights can start as many as the machine allows, and each is looked at.
 */
export const MOST_PROCESSES = 16;

/** The records of the first {@link MOST_PROCESSES} processes of each user, and the directories of users with more. */
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
    if (pids.size < MOST_PROCESSES) pids.add(pid);
    if (pids.has(pid)) return true;
    crowded.add(directory);
    return false;
  });
  return { records: few, crowded: [...crowded] };
}
