import { readAddress } from './prefix.js';
import { ValueError } from './value-error.js';

/** The most addresses that a server announces. A client opens a subflow to each, and has at most 64. */
export const MAX_ANNOUNCED = 8;

/** By the kind of address (names of ipaddr.js): why no client can connect to one. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  unspecified: 'means every address of this host',
  broadcast: 'is a broadcast address',
  multicast: 'is a multicast address',
  loopback: 'is this host itself, which no client can reach',
  linkLocal: 'is valid on one link only',
};

/**
 * Reads an address of a server that its clients can connect to. A v4-mapped IPv6 address becomes the IPv4 one.
 * @throws {ValueError}
 */
export function readAnnounced(text: string): string {
  const written = readAddress(text);
  if (!written) {
    throw new ValueError(`\`${text}\` is not an IP address; write one as 192.0.2.1 or 2001:db8::1`);
  }
  const address =
    'isIPv4MappedAddress' in written && written.isIPv4MappedAddress() ? written.toIPv4Address() : written;
  const why = UNREACHABLE[address.range()];
  if (why !== undefined) {
    throw new ValueError(`\`${text}\` ${why}; write an address of this server that its clients can reach`);
  }
  return address.toString();
}
