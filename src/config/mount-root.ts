import { readFile, realpath } from 'node:fs/promises';

/**
 * The present name, on its own file system, of a file that is mounted by itself (proc(5), mountinfo). It changes when
 * the file is renamed there, and ends in `//deleted` when another file took its name. Undefined for a file that is
 * not mounted by itself.
 */
export async function mountRoot(file: string): Promise<string | undefined> {
  try {
    const [real, table] = await Promise.all([realpath(file), readFile('/proc/self/mountinfo', 'utf8')]);
    const target = escaped(real);
    // of several mounts on top of each other, only the last is visible
    return table
      .split('\n')
      .map((line) => line.split(' '))
      .findLast(([, , , , mountPoint]) => mountPoint === target)?.[3];
  } catch {
    // no file, or no /proc
    return undefined;
  }
}

/** A path with the octal escapes of mountinfo. */
function escaped(path: string): string {
  return path.replace(
    /[ \t\n\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}
