/** Limits of the answers that clients have not read, bytes. An answer that several clients share counts once. */
export interface UnreadLimits {
  /** For one client. A single answer may be longer. */
  readonly ofOne: number;
  /** For all clients together. */
  readonly ofAll: number;
}

/** The limits in use, except in tests. */
export const UNREAD_LIMITS: UnreadLimits = { ofOne: 32 * 1024 * 1024, ofAll: 128 * 1024 * 1024 };

/**
 * The answers that clients of all consoles have not read. If they exceed the limit, the client that has read nothing for
 * the longest time is disconnected.
 */
export class UnreadAnswers {
  readonly #texts = new TextSet();
  /** The clients with unread answers, in the order in which they last read something. */
  readonly #clients = new Set<ClientUnread>();

  constructor(readonly limits: UnreadLimits = UNREAD_LIMITS) {}

  /** Bytes of all unread answers. */
  get bytes(): number {
    return this.#texts.bytes;
  }

  /** @param disconnect ends the client's connection with a reason. Its unread answers have been dropped by then. */
  client(disconnect: (reason: string) => void): ClientUnread {
    return new ClientUnread(this, disconnect);
  }

  /** For {@link ClientUnread}: an answer that this client did not have yet. */
  add(client: ClientUnread, text: Buffer): void {
    this.#clients.add(client);
    this.#texts.add(text);
    for (const oldest of this.#clients) {
      if (this.#texts.bytes <= this.limits.ofAll || this.#clients.size === 1) break;
      oldest.clear();
      oldest.disconnect(
        `clients have not read ${this.limits.ofAll} bytes of answers, and this client has read nothing for the longest time`,
      );
    }
  }

  /** For {@link ClientUnread}: an answer that this client has read. */
  delete(client: ClientUnread, text: Buffer): void {
    this.#texts.delete(text);
    // it goes to the end of the order
    this.#clients.delete(client);
    if (client.bytes > 0) this.#clients.add(client);
  }
}

/** The answers that one client has not read. */
export class ClientUnread {
  readonly #texts = new TextSet();

  constructor(
    private readonly all: UnreadAnswers,
    readonly disconnect: (reason: string) => void,
  ) {}

  get bytes(): number {
    return this.#texts.bytes;
  }

  /** Keeps an answer. @returns why it is not kept; undefined if it is. */
  keep(text: Buffer): string | undefined {
    const { ofOne } = this.all.limits;
    if (this.bytes > 0 && !this.#texts.has(text) && this.bytes + text.length > ofOne)
      return `at most ${ofOne} bytes of answers are kept for a client that does not read them`;
    if (this.#texts.add(text)) this.all.add(this, text);
    return undefined;
  }

  /** Drops an answer that the client has read. */
  release(text: Buffer): void {
    if (this.#texts.delete(text)) this.all.delete(this, text);
  }

  /** Drops all answers: the client has left. */
  clear(): void {
    for (const text of [...this.#texts]) {
      while (this.#texts.has(text)) this.release(text);
    }
  }
}

/**
 * Counts how often each text was added. Clients that get the same answer share one Buffer, so two texts are the same only if
 * they are the same object.
 */
class TextSet {
  readonly #counts = new Map<Buffer, number>();
  /** The bytes of all texts, each counted once. */
  bytes = 0;

  has(text: Buffer): boolean {
    return this.#counts.has(text);
  }

  /** @returns whether the text is new. */
  add(text: Buffer): boolean {
    const count = this.#counts.get(text) ?? 0;
    this.#counts.set(text, count + 1);
    if (count === 0) this.bytes += text.length;
    return count === 0;
  }

  /** @returns whether the text was now deleted as often as it was added. */
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
