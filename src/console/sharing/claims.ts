import type { Claim } from '../common/dispositions.js';

/** Largest number of requests of one OpenVPN that wait for a client to claim `auth`. */
export const MAX_PENDING = 1_000;
/** Largest number of bytes of these requests. Most have 4 KiB; the largest possible one has 256 KiB. */
export const MAX_PENDING_BYTES = 16 * 1024 * 1024;

interface Pending {
  /** A copy of its lines. The lines themselves would keep the whole chunk that they were read from in memory. */
  readonly text: Buffer;
  /** Number of the connection to OpenVPN on which it came. */
  readonly connection: number;
}

/**
 * Which client may answer OpenVPN, for answers that only one may give. A client has a claim until it releases it or leaves.
 * Requests for `auth` that nobody has answered wait here for the next client that claims it, because OpenVPN sends each
 * request only once. Only that client may see them, because they can contain a user's password.
 */
export class Claims<Client> {
  readonly #claimants = new Map<Claim, Client>();
  /** By CID: `>CLIENT:CONNECT`, `REAUTH` or `CR_RESPONSE` with its variables. */
  readonly #pending = new Map<string, Pending>();
  #bytes = 0;
  #dropped = 0;
  #connection = 0;
  #pid: number | undefined;

  /** The limits, as text for a message. */
  get limitText(): string {
    return `at most ${MAX_PENDING} of ${MAX_PENDING_BYTES} bytes wait until a client sends mptcp claim auth`;
  }

  /** Bytes of all waiting requests. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The client that has a claim; undefined if none has. */
  claimant(claim: Claim): Client | undefined {
    return this.#claimants.get(claim);
  }

  /** Gives a claim to a client. @returns whether it has the claim now; not if another client has it. */
  take(claim: Claim, client: Client): boolean {
    const claimant = this.#claimants.get(claim);
    if (claimant === undefined) this.#claimants.set(claim, client);
    return claimant === undefined || claimant === client;
  }

  /** Takes a claim back. @returns whether the client had it. */
  release(claim: Claim, client: Client): boolean {
    return this.#claimants.get(claim) === client && this.#claimants.delete(claim);
  }

  /** Takes back every claim of a client that leaves. */
  releaseAll(client: Client): void {
    for (const claim of [...this.#claimants.keys()]) this.release(claim, client);
  }

  /** Keeps a request. If there are too many, the oldest are dropped. */
  addPending(cid: string, message: readonly string[]): void {
    this.#remove(cid);
    const text = Buffer.from(message.join('\n'));
    this.#pending.set(cid, { text, connection: this.#connection });
    this.#bytes += text.length;
    for (const oldest of this.#pending.keys()) {
      if (this.#pending.size <= MAX_PENDING && this.#bytes <= MAX_PENDING_BYTES) break;
      this.#remove(oldest);
      this.#dropped += 1;
    }
  }

  /**
   * Removes the request of a client: it was answered or, without a KID, the client is gone. If the KID differs, the request
   * stays: OpenVPN reports success for an answer with a wrong KID, and continues to wait.
   */
  removePending(cid: string, kid?: string): void {
    const pending = this.#pending.get(cid);
    if (pending === undefined) return;
    const [, asked] = /^>CLIENT:[A-Z_]+,\d+,(\d+)/.exec(pending.text.toString('latin1', 0, 100)) ?? [];
    if (kid === undefined || kid === asked) this.#remove(cid);
  }

  /** Returns all waiting requests, and how many were dropped since the last call. The requests stay until they are answered. */
  takePending(): { readonly messages: readonly (readonly string[])[]; readonly dropped: number } {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { messages: [...this.#pending.values()].map(({ text }) => text.toString().split('\n')), dropped };
  }

  /** A new connection to OpenVPN is established. */
  onConnect(): void {
    this.#connection += 1;
  }

  /** OpenVPN has reported its PID. If the process is a new one, the requests of the old one are void. */
  onPid(pid: number): void {
    if (this.#pid !== undefined && this.#pid !== pid) {
      for (const [cid, { connection }] of this.#pending) if (connection < this.#connection) this.#remove(cid);
      this.#dropped = 0;
    }
    this.#pid = pid;
  }

  #remove(cid: string): void {
    this.#bytes -= this.#pending.get(cid)?.text.length ?? 0;
    this.#pending.delete(cid);
  }
}
