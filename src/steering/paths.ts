import ipaddr from 'ipaddr.js';
import type { PathConfig } from '../config/config.js';

/** What the path of an address is found from. */
type PathConditions = Pick<PathConfig, 'name' | 'prefixes' | 'addressIds'>;

/**
 * The path of a subflow, by the client's address (canonical text) and the client's address ID (0 to 255; undefined: not
 * known). Returns the path's name, or undefined if it is on none.
 */
export type PathFinder = (address: string, id?: number) => string | undefined;
type AddressFinder = (address: string) => string | undefined;

/** Results are remembered, because a config is used for many rounds and each has the same addresses again. */
const finders = new WeakMap<readonly PathConditions[], PathFinder>();
/** The most addresses to remember: more than a server has clients. */
const MAX_REMEMBERED = 65_536;

/** As {@link pathFinder}, but remembers its results for as long as the paths are referenced. */
export function rememberingPathFinder(paths: readonly PathConditions[]): PathFinder {
  const known = finders.get(paths);
  if (known) return known;
  const finder = pathFinder(paths, remembering);
  finders.set(paths, finder);
  return finder;
}

function remembering(find: AddressFinder): AddressFinder {
  const found = new Map<string, string | undefined>();
  return (address) => {
    const remembered = found.get(address);
    if (remembered !== undefined || found.has(address)) return remembered;
    if (found.size >= MAX_REMEMBERED) found.clear();
    const path = find(address);
    found.set(address, path);
    return path;
  };
}

/**
 * Finds the path of a subflow. A path with address IDs has the subflows with one of these IDs, and only from its prefixes if
 * it has some. Any other subflow is on the path without IDs whose longest prefix contains the address.
 * @param wrap applied to each function that finds a path by address alone.
 * @throws {Error} if a prefix is not CIDR text.
 */
export function pathFinder(
  paths: readonly PathConditions[],
  wrap: (find: AddressFinder) => AddressFinder = (find) => find,
): PathFinder {
  const byId = new Map<number, PathConditions[]>();
  for (const path of paths) {
    for (const id of path.addressIds ?? []) byId.set(id, [...(byId.get(id) ?? []), path]);
  }
  const withoutId = wrap(addressFinder(paths.filter(({ addressIds }) => !addressIds)));
  if (byId.size === 0) return (address) => withoutId(address);
  const withId = new Map([...byId].map(([id, its]) => [id, finderOfId(its, wrap)] as const));
  return (address, id) => (id === undefined ? undefined : withId.get(id)?.(address)) ?? withoutId(address);
}

/** @param paths those with one ID. */
function finderOfId(
  paths: readonly PathConditions[],
  wrap: (find: AddressFinder) => AddressFinder,
): AddressFinder {
  const everywhere = paths.find(({ prefixes }) => prefixes.length === 0)?.name;
  // the config has no other path with this ID then
  return everywhere === undefined ? wrap(addressFinder(paths)) : () => everywhere;
}

/** Finds the path with the longest prefix that contains an address. */
function addressFinder(paths: readonly PathConditions[]): AddressFinder {
  // By prefix length, then by network. So an address needs one lookup for each length and not for each network.
  const lengths = {
    ipv4: new Map<number, Map<bigint, string>>(),
    ipv6: new Map<number, Map<bigint, string>>(),
  };
  for (const { name, prefixes } of paths) {
    for (const prefix of prefixes) {
      const [network, bits] = ipaddr.parseCIDR(prefix);
      const byLength = lengths[network.kind()];
      const names = byLength.get(bits) ?? new Map<bigint, string>();
      byLength.set(bits, names);
      const key = leadingBits(network, bits);
      if (!names.has(key)) names.set(key, name);
    }
  }
  const longestFirst = {
    ipv4: [...lengths.ipv4].sort(([a], [b]) => b - a),
    ipv6: [...lengths.ipv6].sort(([a], [b]) => b - a),
  };
  return (text) => {
    if (!ipaddr.isValid(text)) return undefined;
    const address = ipaddr.process(text);
    for (const [bits, names] of longestFirst[address.kind()]) {
      const name = names.get(leadingBits(address, bits));
      if (name !== undefined) return name;
    }
    return undefined;
  };
}

/** The first `bits` bits of an address as a number. */
function leadingBits(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): bigint {
  const bytes = address.toByteArray();
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return value >> BigInt(bytes.length * 8 - bits);
}
