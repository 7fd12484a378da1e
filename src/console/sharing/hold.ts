/** What {@link HoldFlag} keeps of each client. */
export interface HoldClient {
  /** Whether the client has sent `hold on`, and no `hold off` since then. */
  hasSetHold: boolean;
  /** Whether the client has sent `hold release` since OpenVPN began to wait. */
  hasReleased: boolean;
}

/**
 * The hold flag of each console client, and OpenVPN's flag, which results from them. OpenVPN's flag is on while a client has
 * set its own flag, or while the inherited flag is on.
 *
 * The inherited flag is the one that OpenVPN reports before a console client changes it. Its config has set it
 * (management-hold), or an earlier management client has, e.g. a subflowd that was killed. OpenVPN keeps its flag when the
 * management connection ends (`man_hold` in manage.c). Every client can turn it off with `hold off`. The flag of a client ends
 * when the client disconnects, so OpenVPN never waits for a client that has disconnected.
 */
export class HoldFlag<Client extends HoldClient> {
  /** The inherited flag; undefined until OpenVPN has reported it. */
  #inherited: boolean | undefined;
  /** OpenVPN's flag after every command that was sent on this connection; undefined until OpenVPN has reported it. */
  #requested: boolean | undefined;
  /** Whether OpenVPN's flag may be on although the inherited one is off. Then it must be turned off when no client wants it. */
  #mustTurnOff = false;
  /** Whether a client has turned the inherited flag off, and OpenVPN has not confirmed it. OpenVPN can still begin to wait. */
  #isOffPending = false;
  /** Whether OpenVPN waits because of the inherited flag, although a client has turned that off since. */
  #isInheritedWait = false;
  #pid: number | undefined;
  isWaiting = false;

  constructor(private readonly clients: ReadonlySet<Client>) {}

  /**
   * OpenVPN has reported its flag, at the start of a management connection. The flag is inherited, unless console clients may
   * have changed it in this process.
   */
  setReported(flag: boolean, pid: number): void {
    const isSameProcess = this.#pid === pid;
    if (!isSameProcess) this.#isInheritedWait = false;
    if (!isSameProcess || !this.#mustTurnOff) {
      this.#inherited = flag;
      this.#isOffPending = false;
      this.#mustTurnOff = false;
    }
    this.#pid = pid;
    this.#requested = flag;
  }

  /** Whether OpenVPN has reported its flag on this connection. */
  get isKnown(): boolean {
    return this.#requested !== undefined;
  }

  /** The flag as `hold` shows it to a client. */
  flagOf({ hasSetHold }: Client): boolean {
    return hasSetHold || this.#inherited === true;
  }

  /** Whether a client gets the `>HOLD:` message of the current wait. */
  receivesWait(client: Client): boolean {
    return this.flagOf(client) || this.#isInheritedWait;
  }

  /** Counts the clients, except for one, for which OpenVPN must continue to wait. */
  countOthersWaiting(client?: Client): number {
    return [...this.clients].filter((other) => other !== client && other.hasSetHold && !other.hasReleased)
      .length;
  }

  /** Whether a client wants OpenVPN to wait. */
  get isWanted(): boolean {
    return [...this.clients].some(({ hasSetHold }) => hasSetHold);
  }

  /**
   * A client has sent `hold off`. This turns off its flag and the inherited one.
   * @param canSend whether a command can be sent now.
   * @returns whether OpenVPN must be sent `hold off` now. If not, {@link nextCommand} returns it when no client wants the flag.
   */
  turnOff(client: Client, canSend: boolean): boolean {
    client.hasSetHold = false;
    if (this.#inherited === true) {
      this.#isOffPending = true;
      this.#isInheritedWait = this.isWaiting;
    }
    this.#inherited = false;
    const isSent = canSend && !this.isWanted;
    // if the connection ends before OpenVPN has read the command, the flag that it then reports is the inherited one
    if (isSent) this.#requested = false;
    else this.#mustTurnOff = true;
    return isSent;
  }

  /** The flag that OpenVPN must be sent; undefined if it already has that flag, or has not reported one yet. */
  nextCommand(): 'on' | 'off' | undefined {
    if (this.#inherited === undefined || this.#requested === undefined) return undefined;
    const wanted = this.#inherited || this.isWanted;
    if (wanted === this.#requested) return undefined;
    this.#requested = wanted;
    if (wanted) this.#mustTurnOff = true;
    return wanted ? 'on' : 'off';
  }

  /** The commands that undo what clients asked for: the flag and the wait. */
  undoCommands(): readonly string[] {
    if (this.#inherited !== false || !this.isKnown) return [];
    return [
      ...(this.#mustTurnOff ? ['hold off'] : []),
      ...(this.isWaiting && !this.#isInheritedWait ? ['hold release'] : []),
    ];
  }

  /**
   * OpenVPN has confirmed `hold off`.
   * @param isLast whether no other command was sent after it. Then the flag that OpenVPN reports next is inherited again.
   */
  confirmOff(isLast: boolean): void {
    this.#isOffPending = false;
    if (isLast) this.#mustTurnOff = false;
  }

  /** Whether OpenVPN waits only for clients that have disconnected, and the inherited flag is known to be off. */
  get isAbandoned(): boolean {
    return (
      this.isWaiting &&
      !this.#isInheritedWait &&
      this.isKnown &&
      this.#inherited === false &&
      this.countOthersWaiting() === 0
    );
  }

  startWaiting(): void {
    this.isWaiting = true;
    if (this.#isOffPending) this.#isInheritedWait = true;
    for (const client of this.clients) client.hasReleased = false;
  }

  stopWaiting(): void {
    this.isWaiting = false;
    this.#isInheritedWait = false;
  }

  /** The management connection has ended. OpenVPN may not have read the commands that it has not answered. */
  disconnect(): void {
    this.isWaiting = false;
    this.#requested = undefined;
  }
}
