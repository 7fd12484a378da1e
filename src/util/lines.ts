const LF = 10;

/** Who sent it breaks the rules: a line, or what belongs together, is longer than is taken. */
export class TooLongError extends RangeError {
  override readonly name = 'TooLongError';
}

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
   * @throws {TooLongError} if a line is longer than allowed.
   */
  push(chunk: Buffer): string[] {
    if (this.#bytes + chunk.length > this.#maxBytes) this.#measure(chunk);
    const end = chunk.lastIndexOf(LF);
    if (end === -1) {
      this.#keep(chunk);
      return [];
    }
    // all at once: no byte of LF's value is part of another character
    const whole = chunk.subarray(0, end);
    const text = (this.#parts.length === 0 ? whole : Buffer.concat([...this.#parts, whole])).toString('utf8');
    this.clear();
    this.#keep(chunk.subarray(end + 1));
    return text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
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

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  #measure(chunk: Buffer): void {
    for (let start = 0, held = this.#bytes; start <= chunk.length; held = 0) {
      const next = chunk.indexOf(LF, start);
      const end = next === -1 ? chunk.length : next;
      if (held + end - start > this.#maxBytes) {
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
