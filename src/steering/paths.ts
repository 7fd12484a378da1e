import ipaddr from 'ipaddr.js';

import type { PathConfig } from '../config/config.js';

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
