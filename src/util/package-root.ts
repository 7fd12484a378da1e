import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The directory of the package: the first above this file that has a package.json, wherever the program was built or bundled. */
export function packageRoot(): string {
  let directory = import.meta.dirname;
  while (!existsSync(join(directory, 'package.json'))) {
    const above = dirname(directory);
    if (above === directory) throw new Error(`no package.json in any directory above ${import.meta.dirname}`);
    directory = above;
  }
  return directory;
}
