import type { Claim } from './dispositions.js';

/** Messages that wait for whoever claims `auth`. */
const MAX_PENDING = 1_000;

/**
 * Who answers OpenVPN, where only one may: a claim is a client's until it lets go or leaves. What OpenVPN asked of
 * `auth` and nobody has answered waits here, for the next who claims it: it can hold a user's password and is nobody
 * else's business.
 */
export class Claims<Client> {
  readonly #holders = new Map<Claim, Client>();
  /** By CID: `>CLIENT:CONNECT`, `REAUTH` or `CR_RESPONSE` with its variables. */
  readonly #pending = new Map<string, readonly string[]>();

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

  await(cid: string, message: readonly string[]): void {
    this.#pending.delete(cid);
    const [oldest] = this.#pending.keys();
    if (this.#pending.size >= MAX_PENDING && oldest !== undefined) this.#pending.delete(oldest);
    this.#pending.set(cid, message);
  }

  /**
   * It was answered, or (without a KID) its client is gone. OpenVPN calls an answer for a KID that is not the one it
   * asked for a success, too, and goes on waiting.
   */
  settle(cid: string, kid?: string): void {
    const [, asked] = /^>CLIENT:[A-Z_]+,\d+,(\d+)/.exec(this.#pending.get(cid)?.[0] ?? '') ?? [];
    if (kid === undefined || kid === asked) this.#pending.delete(cid);
  }

  pending(): readonly (readonly string[])[] {
    return [...this.#pending.values()];
  }

  /** OpenVPN is another: what the last one asked is void. */
  forget(): void {
    this.#pending.clear();
  }
}
