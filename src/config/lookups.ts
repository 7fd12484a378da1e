import { lstat, readlink } from 'node:fs/promises';
import { posix } from 'node:path';

/** One name that the kernel looks up in one directory to find a file. */
export interface Lookup {
  /** Resolved: has no symbolic link in it. */
  readonly directory: string;
  readonly name: string;
  /** Device and inode of what the name refers to; absent if nothing has that name. */
  readonly identity?: string;
}

/** The most symbolic links that the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** Undefined if nothing has that name, or it cannot be examined. @returns `link`: the target of a symbolic link. */
async function lookUp(path: string): Promise<{ identity: string; link?: string } | undefined> {
  try {
    const { dev, ino, ...stats } = await lstat(path, { bigint: true });
    const identity = `${dev.toString()}:${ino.toString()}`;
    const isLink = (stats.mode & 0o170000n) === 0o120000n;
    return isLink ? { identity, link: await readlink(path) } : { identity };
  } catch {
    return undefined;
  }
}

/**
 * All lookups that find a file, in order, through all symbolic links. If the path names another file later, then one of
 * them has changed; for example, a directory far above the file or a link to it was replaced.
 */
export async function lookups(file: string): Promise<Lookup[]> {
  const pathLookups: Lookup[] = [];
  const remaining = posix.resolve(file).split('/').filter(Boolean);
  let directory = '/';
  let links = 0;
  for (let name = remaining.shift(); name !== undefined; name = remaining.shift()) {
    if (name === '.') continue;
    if (name === '..') {
      directory = posix.dirname(directory);
      continue;
    }
    const path = posix.join(directory, name);
    const found = await lookUp(path);
    if (!found) return [...pathLookups, { directory, name }];
    pathLookups.push({ directory, name, identity: found.identity });
    if (found.link === undefined) {
      directory = path;
    } else {
      if (++links > MAX_LINKS) return pathLookups;
      if (found.link.startsWith('/')) directory = '/';
      remaining.unshift(...found.link.split('/').filter(Boolean));
    }
  }
  return pathLookups;
}
