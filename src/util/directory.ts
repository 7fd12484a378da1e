import { chmodSync, mkdirSync } from 'node:fs';

/**
 * Makes a directory of our own, readable by all, unless it is there. Its parent has to exist: node's way of making
 * parents too does not come back from a path in /proc.
 * @throws {Error} from the file system, naming the path.
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path);
    // not as mkdir's mode, which the umask would cut
    chmodSync(path, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
