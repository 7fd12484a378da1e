import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFileAtomically } from '../../util/atomic-file.js';
import { readRegularFileSync } from '../../util/regular-file.js';
import { mayBeStored } from '../common/secrecy.js';

/** Largest number of lines that are read; the last typed ones come first in the file. */
export const MAX_HISTORY_LINES = 1000;
/** Largest history file, bytes. A larger one is not read, and is replaced. */
export const MAX_HISTORY_BYTES = 1 << 22;

/** Returns the lines that were typed earlier, the last one first; none if the file cannot be read. */
export function readHistory(file: string): string[] {
  try {
    const text = readRegularFileSync(file, MAX_HISTORY_BYTES).toString('utf8');
    return text.split('\n').filter(Boolean).slice(0, MAX_HISTORY_LINES);
  } catch {
    return [];
  }
}

/** Saves the lines that cannot contain a secret. Errors are ignored. */
export function saveHistory(file: string, lines: readonly string[]): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileAtomically(file, lines.filter((line) => mayBeStored(line)).join('\n'), 0o600);
  } catch {
    // the console works without a history
  }
}
