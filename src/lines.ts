/**
 * Cuts a stream of bytes into lines, holding no more than one unfinished line.
 * Lines end in LF or CRLF; a line is UTF-8, bytes that are not become U+FFFD.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param maxBytes longest line, without its end. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The lines that this chunk finishes.
   * @throws {RangeError} if a line is longer than allowed.
   */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#add(chunk.subarray(start, end));
      lines.push(Buffer.concat(this.#parts).toString('utf8').replace(/\r$/, ''));
      this.#parts = [];
      this.#bytes = 0;
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
    return lines;
  }

  /** The unfinished line: a prompt, which no line end follows. */
  get rest(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }

  /** Forgets the unfinished line. */
  clear(): void {
    this.#parts = [];
    this.#bytes = 0;
  }

  #add(part: Buffer): void {
    if (part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) {
      this.clear();
      throw new RangeError(`a line longer than ${this.#maxBytes} bytes`);
    }
    this.#parts.push(part);
  }
}
