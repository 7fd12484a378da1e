import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFileAtomically } from '../../util/atomic-file.js';
import { readRegularFileSync } from '../../util/regular-file.js';
import { isKeepable } from '../common/secrecy.js';

/** Lines, those typed last. */
export const MAX_HISTORY = 1000;
/** Bytes of the file that holds them: a larger one is not read, and begun anew. */
export const MAX_HISTORY_BYTES = 1 << 22;

/** The lines that were typed at earlier consoles, the last one first; none where the file cannot be read. */
export function readHistory(file: string): string[] {
  try {
    const text = readRegularFileSync(file, MAX_HISTORY_BYTES).toString('utf8');
    return text.split('\n').filter(Boolean).slice(0, MAX_HISTORY);
  } catch {
    return [];
  }
}

/** Keeps lines for later consoles, but for those that can be secret; where that fails, none are kept. */
export function saveHistory(file: string, lines: readonly string[]): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileAtomically(file, lines.filter((line) => isKeepable(line)).join('\n'), 0o600);
  } catch {
    // a console without a memory is still one
  }
}
