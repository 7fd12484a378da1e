import ipaddr from 'ipaddr.js';
import type { PathConfig } from '../config/config.js';
import type { Endpoint } from '../endpoint.js';

type Finder = (end: Endpoint) => string | undefined;

/** Ends that a look shows again are the same objects, and a config lives over many looks. */
const finders = new WeakMap<readonly PathConfig[], Finder>();

/** {@link pathFinder}, for ends; what was found for one is remembered as long as it and the paths are there. */
export function endFinder(paths: readonly PathConfig[]): Finder {
  const known = finders.get(paths);
  if (known) return known;
  const pathOf = pathFinder(paths);
  const found = new WeakMap<Endpoint, { readonly path: string | undefined }>();
  const finder: Finder = (end) => {
    const remembered = found.get(end);
    if (remembered) return remembered.path;
    const path = pathOf(end.address);
    found.set(end, { path });
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
export function pathFinder(paths: readonly PathConfig[]): (address: string) => string | undefined {
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
