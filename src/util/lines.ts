const LF = 10;

/** A line, or a group of lines, is longer than allowed. */
export class TooLongError extends RangeError {
  override readonly name = 'TooLongError';
}

/**
 * Splits a stream of bytes into lines, and stores at most one unfinished line.
 * Lines end in LF or CRLF. They are UTF-8; invalid bytes become U+FFFD.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param maxBytes of a line, without its line end. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Adds a chunk, and returns the lines that it completes.
   * @throws {TooLongError} if a line is longer than allowed.
   */
  push(chunk: Buffer): string[] {
    if (this.#bytes + chunk.length > this.#maxBytes) this.#checkLengths(chunk);
    const end = chunk.lastIndexOf(LF);
    if (end === -1) {
      this.#keep(chunk);
      return [];
    }
    // Decode all lines at once: in UTF-8 the byte of LF is never part of another character.
    const whole = chunk.subarray(0, end);
    const text = (this.#parts.length === 0 ? whole : Buffer.concat([...this.#parts, whole])).toString('utf8');
    this.clear();
    this.#keep(chunk.subarray(end + 1));
    return text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  }

  /** The unfinished line, such as a prompt without a line end. */
  get rest(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }

  /** Forgets the unfinished line. */
  clear(): void {
    this.#parts = [];
    this.#bytes = 0;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  /** @throws {TooLongError} if a line in the stored part and the chunk is longer than allowed. */
  #checkLengths(chunk: Buffer): void {
    for (let start = 0, stored = this.#bytes; start <= chunk.length; stored = 0) {
      const next = chunk.indexOf(LF, start);
      const end = next === -1 ? chunk.length : next;
      if (stored + end - start > this.#maxBytes) {
        this.clear();
        throw new TooLongError(`a line longer than ${this.#maxBytes} bytes`);
      }
      start = end + 1;
    }
  }
}

/**
 * A copy of a line that shares no memory with the text around it. V8 keeps a whole text while a slice of it is in use, and a
 * line is a slice of the text that arrived with it. Use this for text that is stored for long.
 */
export function detachedCopy(line: string): string {
  return Buffer.from(line).toString();
}
