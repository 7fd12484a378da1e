import { readlinkSync } from 'node:fs';

/** The path of a process's program for a message, as ` (PATH)`; empty if it cannot be read. */
export function programOf(pid: number): string {
  try {
    return ` (${readlinkSync(`/proc/${pid}/exe`)})`;
  } catch {
    return '';
  }
}
