import { readlinkSync } from 'node:fs';

/** The program of a process, as a message has it behind the PID: ` (PATH)`, or an empty text if it cannot be read. */
export function programOf(pid: number): string {
  try {
    return ` (${readlinkSync(`/proc/${pid}/exe`)})`;
  } catch {
    return '';
  }
}
