import { readlinkSync } from 'node:fs';

/** The program of a process, to be put behind its PID in a message: ` (PATH)`, or nothing if it cannot be read. */
export function programOf(pid: number): string {
  try {
    return ` (${readlinkSync(`/proc/${pid}/exe`)})`;
  } catch {
    return '';
  }
}
