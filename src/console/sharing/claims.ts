import type { Claim } from '../common/dispositions.js';

/** What may wait for whoever claims `auth`, of one OpenVPN. A message can have 256 KiB; usual are about 4 KiB. */
export const MOST_MESSAGES = 1_000;
export const MOST_BYTES = 16 * 1024 * 1024;

interface Pending {
  /** Its lines, in memory of their own: lines that were read share that of all that came with them. */
  readonly text: Buffer;
  /** Which connection to OpenVPN it came by. */
  readonly connection: number;
}

/**
 * Who answers OpenVPN, where only one may: a claim is a client's until it lets go or leaves. What OpenVPN asked of
 * `auth` and nobody has answered waits here, for the next who claims it: it can hold a user's password and is nobody
 * else's business. OpenVPN asks each once, however often its management connection is lost.
 */
export class Claims<Client> {
  readonly #holders = new Map<Claim, Client>();
  /** By CID: `>CLIENT:CONNECT`, `REAUTH` or `CR_RESPONSE` with its variables. */
  readonly #pending = new Map<string, Pending>();
  #bytes = 0;
  #dropped = 0;
  #connection = 0;
  #pid: number | undefined;

  /** What is kept at most, for people. */
  get bound(): string {
    return `at most ${MOST_MESSAGES} of ${MOST_BYTES} bytes wait until somebody says mptcp claim auth`;
  }

  /** Bytes of what waits. */
  get bytes(): number {
    return this.#bytes;
  }

  holder(claim: Claim): Client | undefined {
    return this.#holders.get(claim);
  }

  /** Whether it is the client's now; not so if it is another's. */
  take(claim: Claim, client: Client): boolean {
    const holder = this.#holders.get(claim);
    if (holder === undefined) this.#holders.set(claim, client);
    return holder === undefined || holder === client;
  }

  /** Whether it was the client's, and is nobody's now. */
  release(claim: Claim, client: Client): boolean {
    return this.#holders.get(claim) === client && this.#holders.delete(claim);
  }

  releaseAll(client: Client): void {
    for (const claim of [...this.#holders.keys()]) this.release(claim, client);
  }

  /** Keeps a message; the oldest give way where there are too many. */
  await(cid: string, message: readonly string[]): void {
    this.#forget(cid);
    const text = Buffer.from(message.join('\n'));
    this.#pending.set(cid, { text, connection: this.#connection });
    this.#bytes += text.length;
    for (const oldest of this.#pending.keys()) {
      if (this.#pending.size <= MOST_MESSAGES && this.#bytes <= MOST_BYTES) break;
      this.#forget(oldest);
      this.#dropped += 1;
    }
  }

  /**
   * It was answered, or (without a KID) its client is gone. OpenVPN calls an answer for a KID that is not the one it
   * asked for a success, too, and goes on waiting.
   */
  settle(cid: string, kid?: string): void {
    const pending = this.#pending.get(cid);
    if (pending === undefined) return;
    const [, asked] = /^>CLIENT:[A-Z_]+,\d+,(\d+)/.exec(pending.text.toString('latin1', 0, 100)) ?? [];
    if (kid === undefined || kid === asked) this.#forget(cid);
  }

  /** All that wait, and how many could not be kept since this was last asked. */
  pending(): { readonly messages: readonly (readonly string[])[]; readonly dropped: number } {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { messages: [...this.#pending.values()].map(({ text }) => text.toString().split('\n')), dropped };
  }

  /** OpenVPN is connected anew. */
  connect(): void {
    this.#connection += 1;
  }

  /** It has said which process it is. If that is another, what the last one asked is void. */
  identify(pid: number): void {
    if (this.#pid !== undefined && this.#pid !== pid) {
      for (const [cid, { connection }] of this.#pending) if (connection < this.#connection) this.#forget(cid);
      this.#dropped = 0;
    }
    this.#pid = pid;
  }

  #forget(cid: string): void {
    this.#bytes -= this.#pending.get(cid)?.text.length ?? 0;
    this.#pending.delete(cid);
  }
}
