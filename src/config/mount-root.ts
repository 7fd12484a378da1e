import { readFile, realpath } from 'node:fs/promises';

/**
 * The name that a file which is mounted by itself has on its own file system, as the kernel tells it now (proc(5),
 * mountinfo): another one after it was renamed there, and one that ends in `//deleted` after another took its name.
 * Undefined for a file that is not mounted by itself.
 */
export async function mountRoot(file: string): Promise<string | undefined> {
  try {
    const [real, table] = await Promise.all([realpath(file), readFile('/proc/self/mountinfo', 'utf8')]);
    const target = escaped(real);
    // of several mounts on one another, the last is seen
    return table
      .split('\n')
      .map((line) => line.split(' '))
      .findLast(([, , , , mountPoint]) => mountPoint === target)?.[3];
  } catch {
    // no file, or no /proc
    return undefined;
  }
}

/** As mountinfo writes a path. */
function escaped(path: string): string {
  return path.replace(
    /[ \t\n\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}
