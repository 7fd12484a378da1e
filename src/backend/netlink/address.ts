import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../../endpoint.js';

/** An address's 4 or 16 bytes, in network order. */
export function addressBytes(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray());
}

/** The canonical text of an address's 4 or 16 bytes. */
export function addressText(bytes: Buffer): string {
  return bytes.length === 4 ? bytes.join('.') : canonicalAddress(ipaddr.fromByteArray([...bytes]).toString());
}
