import { lstat, readlink } from 'node:fs/promises';
import { posix } from 'node:path';

/** One name that the kernel looks up in one directory on the way to a file. */
export interface Lookup {
  /** Resolved: holds no symbolic link. */
  readonly directory: string;
  readonly name: string;
  /** Device and inode of what the name stood for; absent when there is nothing of that name. */
  readonly identity?: string;
}

/** As many as the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40;

async function look(path: string): Promise<{ identity: string; link?: string } | undefined> {
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
 * Every lookup on the way to a file, through all symbolic links, in order. What a path names can only change by one of
 * these: also when a directory far above is replaced, or a link to one.
 */
export async function lookups(file: string): Promise<Lookup[]> {
  const way: Lookup[] = [];
  const ahead = posix.resolve(file).split('/').filter(Boolean);
  let directory = '/';
  let links = 0;
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (name === '.') continue;
    if (name === '..') {
      directory = posix.dirname(directory);
      continue;
    }
    const path = posix.join(directory, name);
    const found = await look(path);
    if (!found) return [...way, { directory, name }];
    way.push({ directory, name, identity: found.identity });
    if (found.link === undefined) {
      directory = path;
    } else {
      if (++links > MOST_LINKS) return way;
      if (found.link.startsWith('/')) directory = '/';
      ahead.unshift(...found.link.split('/').filter(Boolean));
    }
  }
  return way;
}
