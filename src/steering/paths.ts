import ipaddr from 'ipaddr.js';
import type { PathConfig } from '../config/config.js';

type Finder = (address: string) => string | undefined;

/** A config lives over many looks, and each shows the same addresses again. */
const finders = new WeakMap<readonly PathConfig[], Finder>();
/** Addresses that are remembered: more than a server has clients. */
const MOST_REMEMBERED = 65_536;

/** {@link pathFinder}, which remembers what it found as long as the paths are there. */
export function rememberingPathFinder(paths: readonly PathConfig[]): Finder {
  const known = finders.get(paths);
  if (known) return known;
  const find = pathFinder(paths);
  const found = new Map<string, string | undefined>();
  const finder: Finder = (address) => {
    const remembered = found.get(address);
    if (remembered !== undefined || found.has(address)) return remembered;
    if (found.size >= MOST_REMEMBERED) found.clear();
    const path = find(address);
    found.set(address, path);
    return path;
  };
  finders.set(paths, finder);
  return finder;
}

/**
 * Finds the path that an address is on: the one with the longest prefix that holds it.
 * @returns a function from an address (canonical text) to the path's name, or undefined for one on no path.
 * @throws {Error} if a prefix is not CIDR text.
 */
export function pathFinder(paths: readonly PathConfig[]): Finder {
  const prefixes = paths
    .flatMap(({ name, prefixes }) =>
      prefixes.map((prefix) => {
        const [network, bits] = ipaddr.parseCIDR(prefix);
        return { name, network, bits };
      }),
    )
    .sort((a, b) => b.bits - a.bits);
  return (text) => {
    if (!ipaddr.isValid(text)) return undefined;
    const address = ipaddr.process(text);
    const found = prefixes.find(
      ({ network, bits }) => network.kind() === address.kind() && address.match(network, bits),
    );
    return found?.name;
  };
}
