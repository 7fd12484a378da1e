import { payload } from '../payload.js';

/** IPv4 and UDP. */
const OUTER_BYTES = 28;

/** Sequence number (u32) and the time it was sent, Unix time in milliseconds (double), both big-endian. */
export const HEADER_BYTES = 12;

/**
 * Size of the IP packets that carry the constant rate. With what OpenVPN (26 bytes), TCP and MPTCP add, one just fits into
 * an Ethernet frame of its own.
 */
export const PACKET_BYTES = 1380;

/** Size of a UDP payload in an IP packet of that size. */
export function datagramBytes(packetBytes: number): number {
  return packetBytes - OUTER_BYTES;
}

/** What stands behind the header in a datagram of this size: bytes that look random, the same every time. */
export function filler(bytes: number): Buffer {
  return Buffer.concat([...payload(bytes - HEADER_BYTES)]);
}
