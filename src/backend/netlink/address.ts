import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../../endpoint.js';

/** An address's 4 or 16 bytes, in network order. */
export function addressBytes(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray());
}

/** The canonical text of an address's 4 or 16 bytes. */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return v4Text(bytes, 0);
  // most often, a server that listens for both has its clients' IPv4 addresses so
  if (MAPPED.compare(bytes, 0, MAPPED.length) === 0) return v4Text(bytes, MAPPED.length);
  return canonicalAddress(ipaddr.fromByteArray([...bytes]).toString());
}

/** What a v4-mapped IPv6 address begins with (RFC 4291 section 2.5.5.2). */
const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

function v4Text(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}
