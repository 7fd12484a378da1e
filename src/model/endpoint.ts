import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** One end of a TCP connection or subflow. */
export interface Endpoint {
  /** Canonical text: IPv4 dotted, IPv6 as RFC 5952; a v4-mapped IPv6 address is written as the IPv4 one. */
  readonly address: string;
  /** 1 to 65535, host byte order. */
  readonly port: number;
}

/** The addresses and ports of a TCP connection or subflow, as this host sees them. */
export interface FourTuple {
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/**
 * The canonical text of an address, so that two spellings of one address compare equal.
 * @throws {TypeError} if the text is not an IPv4 or IPv6 address.
 */
export function canonicalAddress(text: string): string {
  // Most addresses are IPv4, and these have only one spelling.
  if (isIPv4(text)) return text;
  if (!ipaddr.isValid(text)) throw new TypeError(`not an IP address: ${JSON.stringify(text)}`);
  return ipaddr.process(text).toString();
}

/** `192.0.2.1:1194` or `[2001:db8::1]:1194`: for people, and as the key of maps. */
export function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Compares address and port. Both addresses must be canonical. */
export function isSameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one === other || (one.port === other.port && one.address === other.address);
}

/** Compares both endpoints, as {@link isSameEndpoint} does. */
export function isSameFourTuple(one: FourTuple, other: FourTuple): boolean {
  return isSameEndpoint(one.local, other.local) && isSameEndpoint(one.remote, other.remote);
}
