import { chmodSync, mkdirSync } from 'node:fs';

/**
 * Creates a directory that everybody can read, unless it exists. Its parent must exist, because the parents are not created:
 * `mkdir` of Node with `recursive` never returns for a path in /proc.
 * @throws {Error} from the file system, naming the path.
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path);
    // A separate call, because the umask applies to the mode of mkdir(2).
    chmodSync(path, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
