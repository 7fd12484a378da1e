import { lstatSync, unlinkSync } from 'node:fs';
import { UNFINISHED_MS } from './record-files.js';

/**
 * Removes a temporary file of the plugin that is older than {@link UNFINISHED_MS}. The plugin renames it within
 * microseconds, so its OpenVPN was killed. Never throws: another scan tries again, and no session depends on the file.
 */
export function removeLeftover(path: string): void {
  try {
    const stats = lstatSync(path);
    if (stats.isFile() && Date.now() - stats.mtimeMs > UNFINISHED_MS) unlinkSync(path);
  } catch {
    // the plugin has renamed it, or this user may not remove it
  }
}
