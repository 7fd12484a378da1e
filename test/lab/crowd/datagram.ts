import { payload } from '../payload.js';

/** The headers of IPv4 and UDP. */
const OUTER_BYTES = 28;

/** A u32, the sequence number, then two doubles: when it was sent and when the load ends, Unix time in milliseconds. */
const HEADER_BYTES = 20;

/**
 * Size of the IP packets of the constant rate. OpenVPN adds 26 bytes, and TCP and MPTCP add their headers. Each packet then
 * just fits into one Ethernet frame.
 */
export const PACKET_BYTES = 1380;

/** The header of a datagram; times are Unix time in milliseconds. */
export interface Datagram {
  readonly sequence: number;
  readonly sentMs: number;
  /** The end of the load. A datagram that arrives later counts as not delivered. */
  readonly endMs: number;
}

/** Size of the UDP payload in an IP packet of this size, bytes. */
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

/**
 * Reads the header of a datagram.
 * @param body the bytes that were sent after the header.
 * @returns undefined if other bytes arrived after the header.
 */
export function readDatagram(datagram: Buffer, body: Buffer): Datagram | undefined {
  if (!datagram.subarray(HEADER_BYTES).equals(body)) return undefined;
  return {
    sequence: datagram.readUInt32BE(0),
    sentMs: datagram.readDoubleBE(4),
    endMs: datagram.readDoubleBE(12),
  };
}

/** The bytes after the header in a datagram of this size. They look random, and are the same every time. */
export function filler(bytes: number): Buffer {
  return Buffer.concat([...payload(bytes - HEADER_BYTES)]);
}
