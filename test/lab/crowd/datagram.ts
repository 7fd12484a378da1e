import { payload } from '../payload.js';

/** IPv4 and UDP. */
const OUTER_BYTES = 28;

/** Sequence number (u32), then the time it was sent and the time that ends the load, Unix time in milliseconds (doubles). */
const HEADER_BYTES = 20;

/**
 * Size of the IP packets that carry the constant rate. With what OpenVPN (26 bytes), TCP and MPTCP add, one just fits into
 * an Ethernet frame of its own.
 */
export const PACKET_BYTES = 1380;

/** What a datagram says of itself; times are Unix time in milliseconds. */
export interface Datagram {
  readonly sequence: number;
  readonly sentMs: number;
  /** Of the load: what comes later has not come. */
  readonly endMs: number;
}

/** Size of a UDP payload in an IP packet of that size. */
export function datagramBytes(packetBytes: number): number {
  return packetBytes - OUTER_BYTES;
}

export function writeHeader({ sequence, sentMs, endMs }: Datagram): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(sequence, 0);
  header.writeDoubleBE(sentMs, 4);
  header.writeDoubleBE(endMs, 12);
  return header;
}

/** @returns nothing if anything but what was sent is behind the header. */
export function readDatagram(datagram: Buffer, body: Buffer): Datagram | undefined {
  if (!datagram.subarray(HEADER_BYTES).equals(body)) return undefined;
  return {
    sequence: datagram.readUInt32BE(0),
    sentMs: datagram.readDoubleBE(4),
    endMs: datagram.readDoubleBE(12),
  };
}

/** What stands behind the header in a datagram of this size: bytes that look random, the same every time. */
export function filler(bytes: number): Buffer {
  return Buffer.concat([...payload(bytes - HEADER_BYTES)]);
}
