import ipaddr from 'ipaddr.js';
import type { PathConfig as WholePathConfig } from '../config/config.js';

/** What the path of an address is found from. */
type PathConfig = Pick<WholePathConfig, 'name' | 'prefixes'>;

type Finder = (address: string) => string | undefined;

/** Results are remembered, because a config is used for many rounds and each has the same addresses again. */
const finders = new WeakMap<readonly PathConfig[], Finder>();
/** The most addresses to remember: more than a server has clients. */
const MAX_REMEMBERED = 65_536;

/** As {@link pathFinder}, but remembers its results for as long as the paths are referenced. */
export function rememberingPathFinder(paths: readonly PathConfig[]): Finder {
  const known = finders.get(paths);
  if (known) return known;
  const find = pathFinder(paths);
  const found = new Map<string, string | undefined>();
  const finder: Finder = (address) => {
    const remembered = found.get(address);
    if (remembered !== undefined || found.has(address)) return remembered;
    if (found.size >= MAX_REMEMBERED) found.clear();
    const path = find(address);
    found.set(address, path);
    return path;
  };
  finders.set(paths, finder);
  return finder;
}

/**
 * Finds the path of an address: the one with the longest prefix that contains it.
 * @returns a function from an address (canonical text) to the path's name, or undefined if it is on no path.
 * @throws {Error} if a prefix is not CIDR text.
 */
export function pathFinder(paths: readonly PathConfig[]): Finder {
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
