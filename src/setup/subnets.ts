import ipaddr from 'ipaddr.js';

/** Prefix length of an IPv4 netmask; undefined if it is not one. */
export function prefixLength(netmask: string): number | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(netmask)) return undefined;
  return ipaddr.IPv4.parse(netmask).prefixLengthFromSubnetMask() ?? undefined;
}

/** Whether two networks have an address in common. Text that is not a network overlaps with nothing. */
export function overlaps(one: string, other: string): boolean {
  if (!ipaddr.isValidCIDR(one) || !ipaddr.isValidCIDR(other)) return false;
  const [a, lengthOfA] = ipaddr.parseCIDR(one);
  const [b, lengthOfB] = ipaddr.parseCIDR(other);
  const shorter = Math.min(lengthOfA, lengthOfB);
  return a.kind() === b.kind() && (a as ipaddr.IPv4).match(b, shorter);
}

/** The most networks that are tried. */
const MAX_TRIES = 1024;

/**
 * Finds the next network of the same size that overlaps with no other one.
 * IPv4 networks of up to 256 addresses go up in steps of 256 times 256 first: 10.8.0.0/24, 10.9.0.0/24.
 * @returns undefined if there is none among those that were tried.
 */
export function nextFreeNetwork(network: string, used: readonly string[]): string | undefined {
  const [address, length] = ipaddr.parseCIDR(network);
  const bits = address.kind() === 'ipv4' ? 32 : 128;
  let value = BigInt(`0x${Buffer.from(address.toByteArray()).toString('hex')}`);
  const ownSize = 1n << BigInt(bits - length);
  const step = address.kind() === 'ipv4' && length >= 16 ? 1n << 16n : ownSize;
  for (let tried = 0; tried < MAX_TRIES; tried++) {
    value += step;
    if (value >= 1n << BigInt(bits)) return undefined;
    const bytes = Buffer.from(value.toString(16).padStart(bits / 4, '0'), 'hex');
    const next = ipaddr.fromByteArray([...bytes]);
    const candidate = `${next.toString()}/${length}`;
    const isPrivate = ['private', 'uniqueLocal'].includes(next.range());
    const wasPrivate = ['private', 'uniqueLocal'].includes(address.range());
    if (wasPrivate && !isPrivate) return undefined;
    if (!used.some((other) => overlaps(candidate, other))) return candidate;
  }
  return undefined;
}
