/** Texts that are held, those that are the same held once. */
class Texts {
  readonly #counts = new Map<Buffer, number>();
  bytes = 0;

  has(text: Buffer): boolean {
    return this.#counts.has(text);
  }

  /** @returns whether it was not there. */
  add(text: Buffer): boolean {
    const count = this.#counts.get(text) ?? 0;
    this.#counts.set(text, count + 1);
    if (count === 0) this.bytes += text.length;
    return count === 0;
  }

  /** @returns whether it is there no more. */
  delete(text: Buffer): boolean {
    const count = this.#counts.get(text);
    if (count === undefined) return false;
    if (count > 1) this.#counts.set(text, count - 1);
    else {
      this.#counts.delete(text);
      this.bytes -= text.length;
    }
    return count === 1;
  }

  [Symbol.iterator](): IterableIterator<Buffer> {
    return this.#counts.keys();
  }
}

/** Answers that clients of consoles have not read, in bytes. An answer that many have counts once. */
export interface UnreadLimits {
  /** Of one client; a single answer may be longer. */
  readonly ofOne: number;
  /** Of all clients together. */
  readonly ofAll: number;
}

export const UNREAD_LIMITS: UnreadLimits = { ofOne: 32 * 1024 * 1024, ofAll: 128 * 1024 * 1024 };

/**
 * The answers that clients have not read, of all consoles: where they are too many in all, the client that has read
 * nothing for longest is cut off.
 */
export class UnreadAnswers {
  readonly #texts = new Texts();
  /** By when they last read something, the longest ago first. */
  readonly #clients = new Set<UnreadOfOne>();

  constructor(readonly limits: UnreadLimits = UNREAD_LIMITS) {}

  /** Bytes of all. */
  get bytes(): number {
    return this.#texts.bytes;
  }

  /** @param cutOff ends the client with a reason; what it has not read is forgotten already. */
  client(cutOff: (reason: string) => void): UnreadOfOne {
    return new UnreadOfOne(this, cutOff);
  }

  /** @internal */
  add(client: UnreadOfOne, text: Buffer): void {
    this.#clients.add(client);
    this.#texts.add(text);
    for (const longest of this.#clients) {
      if (this.#texts.bytes <= this.limits.ofAll || this.#clients.size === 1) break;
      longest.clear();
      longest.cutOff(
        `clients have not read answers of ${this.limits.ofAll} bytes, and this one has read nothing for longest`,
      );
    }
  }

  /** @internal */
  delete(client: UnreadOfOne, text: Buffer): void {
    this.#texts.delete(text);
    this.#clients.delete(client);
    if (client.bytes > 0) this.#clients.add(client);
  }
}

/** The answers that one client has not read. */
export class UnreadOfOne {
  readonly #texts = new Texts();

  constructor(
    private readonly all: UnreadAnswers,
    readonly cutOff: (reason: string) => void,
  ) {}

  get bytes(): number {
    return this.#texts.bytes;
  }

  /** Holds an answer. @returns why it cannot be held; undefined where it is. */
  hold(text: Buffer): string | undefined {
    const { ofOne } = this.all.limits;
    if (this.bytes > 0 && !this.#texts.has(text) && this.bytes + text.length > ofOne)
      return `at most ${ofOne} bytes of answers are kept for a client that does not read them`;
    if (this.#texts.add(text)) this.all.add(this, text);
    return undefined;
  }

  /** The client has read it. */
  release(text: Buffer): void {
    if (this.#texts.delete(text)) this.all.delete(this, text);
  }

  /** The client is gone. */
  clear(): void {
    for (const text of [...this.#texts]) while (this.#texts.has(text)) this.release(text);
  }
}
