import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../../model/endpoint.js';

const DOT = 0x2e;
const ZERO = 0x30;

/** Writes the 4 or 16 bytes of an address, in network order. @param address canonical text. */
export function writeAddress(address: string, out: Buffer, at: number): void {
  if (address.includes(':')) {
    out.set(ipaddr.parse(address).toByteArray(), at);
    return;
  }
  let byte = 0;
  let end = at;
  for (let index = 0; index < address.length; index++) {
    const code = address.charCodeAt(index);
    if (code === DOT) {
      out[end++] = byte;
      byte = 0;
    } else byte = byte * 10 + code - ZERO;
  }
  out[end] = byte;
}

/** Canonical text of an address of 4 or 16 bytes, in network order. */
export function addressText(bytes: Buffer, at = 0, size = bytes.length): string {
  if (size === 4) return v4Text(bytes, at);
  // the usual form of a client's IPv4 address on a socket that accepts both families
  if (isMapped(bytes, at)) return v4Text(bytes, at + 12);
  return canonicalAddress(ipaddr.fromByteArray([...bytes.subarray(at, at + size)]).toString());
}

/** Whether an IPv6 address is an IPv4-mapped one, in ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
function isMapped(bytes: Buffer, at: number): boolean {
  return (
    bytes.readUInt32BE(at + 8) === 0xffff && bytes.readUInt32BE(at + 4) === 0 && bytes.readUInt32BE(at) === 0
  );
}

function v4Text(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}
