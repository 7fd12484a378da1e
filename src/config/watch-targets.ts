import { posix } from 'node:path';
import type { FSWatcher } from 'chokidar';
import type { Lookup } from './lookups.js';

/**
 * What to watch to see every change of what a path names: the directories that are looked into, with their identities
 * (see {@link Lookup}). The root is not watched, because chokidar then forgets everything below it. Its
 * entries are watched themselves. So the only change that is missed is a new entry with the name of a removed one.
 */
export function watchTargets(pathLookups: readonly Lookup[]): Map<string, string | undefined> {
  const identities = new Map(
    pathLookups.map(({ directory, name, identity }) => [posix.join(directory, name), identity]),
  );
  const targets = pathLookups.map(({ directory, name }) => (directory === '/' ? `/${name}` : directory));
  return new Map(targets.map((target) => [target, identities.get(target)]));
}

/**
 * Whether an event can change what the path names.
 * @param watched the watched directory, or a watched entry of the root.
 * @param name the name in that directory which the event is about; null: not known.
 */
export function concerns(pathLookups: readonly Lookup[], watched: string, name: string | null): boolean {
  return pathLookups.some(
    (lookup) =>
      (lookup.directory === watched && (!name || name === lookup.name)) ||
      (posix.join(lookup.directory, lookup.name) === watched && name === posix.basename(watched)),
  );
}

/** Whether every target that exists is watched. */
export function isWatched(watcher: FSWatcher, targets: ReadonlyMap<string, string | undefined>): boolean {
  const watched = watcher.getWatched();
  return [...targets].every(
    ([target, identity]) =>
      identity === undefined ||
      target in watched ||
      watched[posix.dirname(target)]?.includes(posix.basename(target)),
  );
}
