/** A message breaks a rule of docs/helper.md. Its connection ends, and nothing else happens. */
export class BadMessageError extends Error {
  override readonly name = 'BadMessageError';
}

/** Size of the length before each message, bytes. */
const HEADER = 4;

/** A message as bytes: its length, 32 bits with the lowest byte first, and then the message as JSON in UTF-8. */
export function encodeFrame(message: unknown): Buffer {
  const text = JSON.stringify(message);
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(HEADER + length);
  frame.writeUInt32LE(length, 0);
  frame.write(text, HEADER);
  return frame;
}

/** Splits a stream of bytes into messages. It stores at most one unfinished message. */
export class FrameReader {
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes of the next message with its header; undefined: the header is not complete. */
  #wanted: number | undefined;

  /** @param maxBytes of a message, without the header. */
  constructor(private readonly maxBytes: number) {}

  /** @throws {BadMessageError} if a message is too long or is not JSON; the rest of the stream is then useless. */
  *push(chunk: Buffer): Generator {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    for (;;) {
      this.#wanted ??= this.#readHeader();
      if (this.#wanted === undefined || this.#bytes < this.#wanted) return;
      const all = this.#joined();
      const message = parseJson(all.subarray(HEADER, this.#wanted));
      const rest = all.subarray(this.#wanted);
      this.#parts = rest.length > 0 ? [rest] : [];
      this.#bytes = rest.length;
      this.#wanted = undefined;
      yield message;
    }
  }

  #readHeader(): number | undefined {
    if (this.#bytes < HEADER) return undefined;
    const length = this.#joined().readUInt32LE(0);
    if (length > this.maxBytes) {
      throw new BadMessageError(`a message has ${length} bytes; ${this.maxBytes} are allowed`);
    }
    return HEADER + length;
  }

  #joined(): Buffer {
    const [first] = this.#parts;
    const all = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts);
    this.#parts = [all];
    return all;
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new BadMessageError('a message is not JSON', { cause: error });
  }
}
