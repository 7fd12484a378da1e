/** What {@link HoldFlag} keeps of each client. */
export interface HoldClient {
  /** The flag that the client asked for with `hold on` or `hold off`; undefined: it accepts OpenVPN's own. */
  holdFlag: boolean | undefined;
  /** Whether the client has sent `hold release` since OpenVPN began to wait. */
  hasReleased: boolean;
}

/**
 * The hold flag of each client, and the one of OpenVPN that results. OpenVPN's flag is on while a client wants it or while
 * OpenVPN's own config does (management-hold). The flag of a client ends when the client leaves, so OpenVPN never waits for
 * a client that is gone.
 */
export class HoldFlag<Client extends HoldClient> {
  /** OpenVPN's flag without us; undefined until OpenVPN has reported it. */
  #configured: boolean | undefined;
  /** OpenVPN's flag after every command that was sent on this connection; undefined until OpenVPN has reported it. */
  #requested: boolean | undefined;
  /** Whether the flag of the process may be ours. The process keeps its flag when the connection is lost. */
  #wasSetByUs = false;
  #pid: number | undefined;
  isWaiting = false;

  constructor(private readonly clients: ReadonlySet<Client>) {}

  /** OpenVPN has reported its flag, at the start of a connection. If we had set the flag, it is not the configured one. */
  setReported(flag: boolean, pid: number): void {
    if (this.#pid !== pid || !this.#wasSetByUs) {
      this.#configured = flag;
      this.#wasSetByUs = false;
    }
    this.#pid = pid;
    this.#requested = flag;
  }

  flagOf({ holdFlag }: Client): boolean {
    return holdFlag ?? this.#configured ?? false;
  }

  /** Counts the clients, except for one, for which OpenVPN must continue to wait. */
  countOthersWaiting(client?: Client): number {
    return [...this.clients].filter(
      (other) => other !== client && other.holdFlag === true && !other.hasReleased,
    ).length;
  }

  /** Whether a client wants OpenVPN to wait. */
  get isWanted(): boolean {
    return [...this.clients].some(({ holdFlag }) => holdFlag === true);
  }

  /** The flag that OpenVPN must be sent; undefined if it already has that flag, or has not yet reported its own. */
  nextCommand(): 'on' | 'off' | undefined {
    if (this.#configured === undefined || this.#requested === undefined) return undefined;
    const wanted = this.#configured || this.isWanted;
    if (wanted === this.#requested) return undefined;
    this.#requested = wanted;
    if (wanted) this.#wasSetByUs = true;
    return wanted ? 'on' : 'off';
  }

  /** The commands that undo what clients asked for: the flag and the wait. */
  undoCommands(): readonly string[] {
    if (this.#configured !== false) return [];
    return [...(this.#wasSetByUs ? ['hold off'] : []), ...(this.isWaiting ? ['hold release'] : [])];
  }

  /** OpenVPN has confirmed `hold off`. What it reports from now on is its own flag again. */
  confirmOff(): void {
    if (this.#requested === false) this.#wasSetByUs = false;
  }

  /** Whether OpenVPN waits only for clients that have left; OpenVPN has reported that it would not wait by itself. */
  get isAbandoned(): boolean {
    return (
      this.isWaiting &&
      this.#requested !== undefined &&
      this.#configured === false &&
      this.countOthersWaiting() === 0
    );
  }

  startWaiting(): void {
    this.isWaiting = true;
    for (const client of this.clients) client.hasReleased = false;
  }

  stopWaiting(): void {
    this.isWaiting = false;
  }

  /** The connection is lost, with every command that was sent on it and not yet answered. */
  disconnect(): void {
    this.isWaiting = false;
    this.#requested = undefined;
  }
}
