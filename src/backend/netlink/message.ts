import { NetlinkError } from './netlink-error.js';

// include/uapi/linux/netlink.h; numbers are in the host's byte order, which on x86_64 is little-endian.
const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
const TYPE_MASK = 0x3fff;
const NESTED = 0x8000;

/** One netlink message. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  /** The request's, of an answer. */
  readonly sequence: number;
  readonly payload: Buffer;
}

/** Attributes by type, found where they lie: most are never asked for. Where a type comes twice, the last one counts. */
export class Attributes {
  /** @throws {NetlinkError} EBADMSG if the bytes from `start` to `end` are not filled by whole attributes. */
  constructor(
    private readonly bytes: Buffer,
    private readonly start: number,
    private readonly end = bytes.length,
  ) {
    for (let at = start; at < end;) {
      const length = at + ATTRIBUTE_HEADER <= end ? u16At(bytes, at) : 0;
      if (length < ATTRIBUTE_HEADER || length > end - at) throw malformed('attribute');
      at += aligned(length);
    }
  }

  get isEmpty(): boolean {
    return this.start >= this.end;
  }

  get(type: number): Buffer | undefined {
    const at = this.#find(type);
    return at === undefined ? undefined : this.#at(at);
  }

  /** Where the value of one that has to be there begins. @throws {NetlinkError} EBADMSG if it is missing or shorter than `size` bytes. */
  offset(type: number, size: number): number {
    const at = this.#find(type);
    if (at === undefined || u16At(this.bytes, at) < ATTRIBUTE_HEADER + size)
      throw malformed(`attribute ${type}`);
    return at + ATTRIBUTE_HEADER;
  }

  /** The number that one begins with. @throws {NetlinkError} as {@link offset} does. */
  u8(type: number): number {
    return this.bytes.readUInt8(this.offset(type, 1));
  }

  /** As {@link u8}. */
  u16(type: number): number {
    return this.bytes.readUInt16LE(this.offset(type, 2));
  }

  /** As {@link u8}. */
  u32(type: number): number {
    return this.bytes.readUInt32LE(this.offset(type, 4));
  }

  /** Those inside one. @throws {NetlinkError} EBADMSG if they do not fill it. */
  nested(type: number): Attributes | undefined {
    const at = this.#find(type);
    return at === undefined
      ? undefined
      : new Attributes(this.bytes, at + ATTRIBUTE_HEADER, at + u16At(this.bytes, at));
  }

  /** All of them, in order. */
  *values(): Generator<Buffer> {
    for (let at = this.start; at < this.end; at += aligned(u16At(this.bytes, at))) yield this.#at(at);
  }

  #find(type: number): number | undefined {
    let found: number | undefined;
    for (let at = this.start; at < this.end; at += aligned(u16At(this.bytes, at))) {
      if ((u16At(this.bytes, at + 2) & TYPE_MASK) === type) found = at;
    }
    return found;
  }

  #at(at: number): Buffer {
    return this.bytes.subarray(at + ATTRIBUTE_HEADER, at + u16At(this.bytes, at));
  }
}

/** The messages of a datagram. @throws {NetlinkError} EBADMSG if it is not made of whole messages. */
export function readMessages(datagram: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < datagram.length;) {
    const length = at + HEADER <= datagram.length ? datagram.readUInt32LE(at) : 0;
    if (length < HEADER || length > datagram.length - at) throw malformed('message');
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      payload: datagram.subarray(at + HEADER, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** The attributes that fill the bytes from `start`. @throws {NetlinkError} EBADMSG if they are not whole. */
export function readAttributes(bytes: Buffer, start = 0): Attributes {
  return new Attributes(bytes, start);
}

export function malformed(what: string): NetlinkError {
  return new NetlinkError('EBADMSG', `the kernel's answer holds no whole ${what}`);
}

export function writeMessage({ type, flags, sequence, payload }: Message): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + payload.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, payload]);
}

export function writeAttribute(type: number, payload: Buffer): Buffer {
  const length = ATTRIBUTE_HEADER + payload.length;
  const bytes = Buffer.alloc(aligned(length));
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  payload.copy(bytes, ATTRIBUTE_HEADER);
  return bytes;
}

export function writeNested(type: number, attributes: readonly Buffer[]): Buffer {
  return writeAttribute(type | NESTED, Buffer.concat(attributes));
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** As `readUInt16LE`, whose checks would take most of the time. */
function u16At(bytes: Buffer, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}
