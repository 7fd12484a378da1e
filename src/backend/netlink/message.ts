import { NetlinkError } from './netlink-error.js';

// include/uapi/linux/netlink.h; numbers are in the host's byte order, which on x86_64 is little-endian.
const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
const TYPE_MASK = 0x3fff;
const NESTED = 0x8000;
/** Bytes of one datagram. The longest request that is sent with others, to set a priority over IPv6, has 140. */
const MAX_DATAGRAM_BYTES = 16_384;

/** One netlink message. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  /** An answer has the number of its request. */
  readonly sequence: number;
  readonly payload: Buffer;
}

/**
 * Attributes by type. They are searched where they are, because most of them are never read. If a type comes twice, the last
 * one counts.
 */
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

  /**
   * The offset of the value of a required attribute.
   * @throws {NetlinkError} EBADMSG if it is missing or shorter than `size` bytes.
   */
  offset(type: number, size: number): number {
    const at = this.#find(type);
    if (at === undefined || u16At(this.bytes, at) < ATTRIBUTE_HEADER + size)
      throw malformed(`attribute ${type}`);
    return at + ATTRIBUTE_HEADER;
  }

  /** The number at the start of an attribute's value. @throws {NetlinkError} as {@link offset} does. */
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

  /** The attributes inside an attribute. @throws {NetlinkError} EBADMSG if they do not fill it. */
  nested(type: number): Attributes | undefined {
    const at = this.#find(type);
    return at === undefined
      ? undefined
      : new Attributes(this.bytes, at + ATTRIBUTE_HEADER, at + u16At(this.bytes, at));
  }

  /** The values of all attributes, in order. */
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

/** The messages of a datagram. @throws {NetlinkError} EBADMSG if it has an incomplete message. */
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

/** The attributes that fill the bytes from `start`. @throws {NetlinkError} EBADMSG if one is incomplete. */
export function readAttributes(bytes: Buffer, start = 0): Attributes {
  return new Attributes(bytes, start);
}

/** The error for an answer in which this part is missing or incomplete. */
export function malformed(what: string): NetlinkError {
  return new NetlinkError('EBADMSG', `the kernel's answer has no complete ${what}`);
}

/**
 * Writes datagrams one after another into the same buffer. Creating a buffer for each attribute would take longer than the
 * kernel takes to answer.
 */
export class MessageWriter {
  readonly bytes = Buffer.alloc(MAX_DATAGRAM_BYTES);
  #length = 0;
  /** Where the last message begins. */
  #start = 0;

  /** Begins a datagram with one message. Its payload follows. */
  begin(type: number, flags: number, sequence: number): void {
    this.#length = 0;
    this.append(type, flags, sequence);
  }

  /** Ends the message before, and begins another one in the same datagram. */
  append(type: number, flags: number, sequence: number): void {
    this.#endMessage();
    this.#start = this.#length;
    const at = this.reserve(HEADER);
    put16(this.bytes, at + 4, type);
    put16(this.bytes, at + 6, flags);
    put32(this.bytes, at + 8, sequence);
  }

  /** Ends the datagram. @returns its bytes, valid until the next datagram begins. */
  end(): Buffer {
    this.#endMessage();
    return this.bytes.subarray(0, this.#length);
  }

  /** Appends this many zero bytes, with padding to a multiple of 4. @returns their offset. */
  reserve(size: number): number {
    const at = this.#length;
    const end = at + aligned(size);
    if (end > MAX_DATAGRAM_BYTES) throw new RangeError(`a request of more than ${MAX_DATAGRAM_BYTES} bytes`);
    this.bytes.fill(0, at, end);
    this.#length = end;
    return at;
  }

  /** Appends an attribute with this many zero bytes. @returns the offset of its value. */
  attribute(type: number, size: number): number {
    const at = this.reserve(ATTRIBUTE_HEADER + size);
    put16(this.bytes, at, ATTRIBUTE_HEADER + size);
    put16(this.bytes, at + 2, type);
    return at + ATTRIBUTE_HEADER;
  }

  u16(type: number, value: number): void {
    put16(this.bytes, this.attribute(type, 2), value);
  }

  u32(type: number, value: number): void {
    put32(this.bytes, this.attribute(type, 4), value);
  }

  /** Appends an attribute that contains the attributes that `write` appends. */
  nested(type: number, write: () => void): void {
    const at = this.attribute(type | NESTED, 0) - ATTRIBUTE_HEADER;
    write();
    put16(this.bytes, at, this.#length - at);
  }

  #endMessage(): void {
    if (this.#length > 0) put32(this.bytes, this.#start, this.#length - this.#start);
  }
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** As `readUInt16LE`, but without its checks, which would take most of the time. */
function u16At(bytes: Buffer, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

/** As `writeUInt16LE`, for the same reason. */
function put16(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

function put32(bytes: Buffer, at: number, value: number): void {
  put16(bytes, at, value);
  put16(bytes, at + 2, value >>> 16);
}
