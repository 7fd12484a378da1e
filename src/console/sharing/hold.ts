/** What `hold` needs of a client of the console. */
export interface Holder {
  /** Its flag, as it said; undefined: it said nothing and goes by OpenVPN's. */
  holds: boolean | undefined;
  /** It has said `hold release` since OpenVPN began to wait. */
  released: boolean;
}

/**
 * The hold flag of each client over the one of OpenVPN, which is on while one client wants it or OpenVPN's own config
 * does (management-hold). A client's flag ends with it, so that OpenVPN never waits for somebody who has left.
 */
export class HoldFlag<Client extends Holder> {
  /** OpenVPN's flag without us; undefined until it has said it. */
  #own: boolean | undefined;
  /** OpenVPN's flag once all that was said to it on this connection is done; undefined until it has said it. */
  #told: boolean | undefined;
  /** The process can have the flag from us: it keeps it when the connection is lost. */
  #isOurs = false;
  #pid: number | undefined;
  waiting = false;

  constructor(private readonly clients: ReadonlySet<Client>) {}

  /** OpenVPN has said its flag, at the start of a connection. Where we had set it, it is not its own. */
  learn(flag: boolean, pid: number): void {
    if (this.#pid !== pid || !this.#isOurs) {
      this.#own = flag;
      this.#isOurs = false;
    }
    this.#pid = pid;
    this.#told = flag;
  }

  of({ holds }: Client): boolean {
    return holds ?? this.#own ?? false;
  }

  /** Those for whom OpenVPN must go on waiting, but for one. */
  othersHold(client?: Client): number {
    return [...this.clients].filter((other) => other !== client && other.holds === true && !other.released)
      .length;
  }

  /** Whether a client wants OpenVPN to wait, and is there to release it. */
  get isWanted(): boolean {
    return [...this.clients].some(({ holds }) => holds === true);
  }

  /** The flag that OpenVPN must be told to have; undefined where it has it, or has not yet said which it has. */
  change(): 'on' | 'off' | undefined {
    if (this.#own === undefined || this.#told === undefined) return undefined;
    const wanted = this.#own || this.isWanted;
    if (wanted === this.#told) return undefined;
    this.#told = wanted;
    if (wanted) this.#isOurs = true;
    return wanted ? 'on' : 'off';
  }

  /** What undoes the flag and the wait that OpenVPN has from clients, who are all to leave. */
  undo(): readonly string[] {
    if (this.#own !== false) return [];
    return [...(this.#isOurs ? ['hold off'] : []), ...(this.waiting ? ['hold release'] : [])];
  }

  /** OpenVPN has answered that its flag is off, as it is without us: what it says from now on is its own. */
  isOff(): void {
    if (this.#told === false) this.#isOurs = false;
  }

  /** Whether nobody is left who wanted OpenVPN to wait, and it has said that it would not do so by itself. */
  get isAbandoned(): boolean {
    return this.waiting && this.#told !== undefined && this.#own === false && this.othersHold() === 0;
  }

  begin(): void {
    this.waiting = true;
    for (const client of this.clients) client.released = false;
  }

  end(): void {
    this.waiting = false;
  }

  /** The connection is lost, and with it what was said on it and not yet done. */
  disconnect(): void {
    this.waiting = false;
    this.#told = undefined;
  }
}
