/** What {@link HoldFlag} keeps of each client. */
export interface HoldClient {
  /** Whether the client has sent `hold on`, and no `hold off` since then. */
  hasSetHold: boolean;
  /** Whether the client has sent `hold release` since OpenVPN began to wait. */
  hasReleased: boolean;
}

/**
 * The hold flag of each client, and the one of OpenVPN that results. OpenVPN's flag is on while a client has set its own flag,
 * or while OpenVPN's own flag is on.
 *
 * OpenVPN's own flag is the one that it reports before a client of ours changes it. Its config has set it (management-hold),
 * or an earlier management client, e.g. a subflowd that was killed: the process keeps its flag when the connection is lost
 * (`man_hold` in manage.c). Every client can turn it off with `hold off`. The flag of a client ends when the client leaves, so
 * OpenVPN never waits for a client that is gone.
 */
export class HoldFlag<Client extends HoldClient> {
  /** OpenVPN's own flag; undefined until OpenVPN has reported it. */
  #own: boolean | undefined;
  /** OpenVPN's flag after every command that was sent on this connection; undefined until OpenVPN has reported it. */
  #requested: boolean | undefined;
  /** Whether OpenVPN's flag may be on although its own is off. We must then turn it off when no client wants it. */
  #mustTurnOff = false;
  /** Whether a client has turned OpenVPN's own flag off, and OpenVPN has not confirmed that. It can still begin to wait. */
  #isOwnPending = false;
  /** Whether OpenVPN waits because of its own flag, although a client has turned that off since. */
  #isOwnWait = false;
  #pid: number | undefined;
  isWaiting = false;

  constructor(private readonly clients: ReadonlySet<Client>) {}

  /** OpenVPN has reported its flag, at the start of a connection. If clients of ours had changed the flag, it is not its own. */
  setReported(flag: boolean, pid: number): void {
    const isSameProcess = this.#pid === pid;
    if (!isSameProcess) this.#isOwnWait = false;
    if (!isSameProcess || !this.#mustTurnOff) {
      this.#own = flag;
      this.#isOwnPending = false;
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
    return hasSetHold || this.#own === true;
  }

  /** Whether a client gets the `>HOLD:` message of the current wait. */
  receivesWait(client: Client): boolean {
    return this.flagOf(client) || this.#isOwnWait;
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
   * A client has sent `hold off`. This turns off its flag and OpenVPN's own.
   * @param canSend whether a command can be sent now.
   * @returns whether OpenVPN must be sent `hold off` now. If not, {@link nextCommand} returns it when no client wants the flag.
   */
  turnOff(client: Client, canSend: boolean): boolean {
    client.hasSetHold = false;
    if (this.#own === true) {
      this.#isOwnPending = true;
      this.#isOwnWait = this.isWaiting;
    }
    this.#own = false;
    const isSent = canSend && !this.isWanted;
    // if the command that is sent now gets lost, the flag that OpenVPN then reports is its own
    if (isSent) this.#requested = false;
    else this.#mustTurnOff = true;
    return isSent;
  }

  /** The flag that OpenVPN must be sent; undefined if it already has that flag, or has not yet reported its own. */
  nextCommand(): 'on' | 'off' | undefined {
    if (this.#own === undefined || this.#requested === undefined) return undefined;
    const wanted = this.#own || this.isWanted;
    if (wanted === this.#requested) return undefined;
    this.#requested = wanted;
    if (wanted) this.#mustTurnOff = true;
    return wanted ? 'on' : 'off';
  }

  /** The commands that undo what clients asked for: the flag and the wait. */
  undoCommands(): readonly string[] {
    if (this.#own !== false || !this.isKnown) return [];
    return [
      ...(this.#mustTurnOff ? ['hold off'] : []),
      ...(this.isWaiting && !this.#isOwnWait ? ['hold release'] : []),
    ];
  }

  /**
   * OpenVPN has confirmed `hold off`.
   * @param isLast whether no other command was sent after it. What OpenVPN reports from now on is then its own flag again.
   */
  confirmOff(isLast: boolean): void {
    this.#isOwnPending = false;
    if (isLast) this.#mustTurnOff = false;
  }

  /** Whether OpenVPN waits only for clients that have left; OpenVPN has reported that it would not wait by itself. */
  get isAbandoned(): boolean {
    return (
      this.isWaiting &&
      !this.#isOwnWait &&
      this.isKnown &&
      this.#own === false &&
      this.countOthersWaiting() === 0
    );
  }

  startWaiting(): void {
    this.isWaiting = true;
    if (this.#isOwnPending) this.#isOwnWait = true;
    for (const client of this.clients) client.hasReleased = false;
  }

  stopWaiting(): void {
    this.isWaiting = false;
    this.#isOwnWait = false;
  }

  /** The connection is lost, with every command that was sent on it and not yet answered. */
  disconnect(): void {
    this.isWaiting = false;
    this.#requested = undefined;
  }
}
