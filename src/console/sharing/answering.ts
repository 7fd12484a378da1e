import { atoi } from '../../openvpn/command-line.js';
import type { Request } from '../../openvpn/exchanges.js';
import { failure, success, type Answer } from '../common/answer.js';
import type { Audience } from './audience.js';
import { withoutRefusedLines } from './block.js';
import type { Claims } from './claims.js';
import type { Claim, Disposition } from '../common/dispositions.js';
import { filterVariables } from './env-filter.js';
import type { Passage, Respond } from './pass.js';
import type { Seat } from './console-client.js';
import type { SharedSettings } from './settings.js';

/** Who of a console's clients answers OpenVPN, where only one may: the claims, and the answers of those who have them. */
export class Answering {
  constructor(
    private readonly passage: Passage,
    private readonly settings: SharedSettings,
    private readonly claims: Claims<Seat>,
    private readonly audience: Audience,
    private readonly seats: ReadonlySet<Seat>,
    private readonly onClaimed: (claim: Claim) => void,
  ) {}

  /** `mptcp claim`. */
  claim(seat: Seat, claim: Claim): Answer {
    const had = this.claims.holder(claim) === seat;
    if (!this.claims.take(claim, seat)) return this.#taken(claim);
    if (!had) this.#onClaimed(claim);
    if (!had && claim === 'auth') {
      const { messages, dropped } = this.claims.pending();
      if (dropped > 0) seat.tell([`>INFO:${dropped} requests of clients are lost: ${this.claims.bound}`]);
      for (const message of messages) seat.tell(filterVariables(message, seat.envFilter));
    }
    return success(`${claim} is yours, until you leave or say mptcp release ${claim}`);
  }

  /** `mptcp release`. */
  release(seat: Seat, claim: Claim): Answer {
    if (!this.claims.release(claim, seat)) return failure(`${claim} is not yours`);
    this.settings.adjust();
    return success(`${claim} is nobody's now`);
  }

  /** Refuses a command that is another client's to give. @returns whether it did. */
  deny(seat: Seat, command: string, disposition: Disposition, respond: Respond): boolean {
    if (typeof disposition === 'string') return false;
    const holder = this.claims.holder(disposition.claim);
    if (holder === undefined || holder === seat) return false;
    respond(this.#taken(disposition.claim, command));
    return true;
  }

  /** Passes on an answer to a question of OpenVPN's; if OpenVPN takes it, the claim is the client's. */
  answer(
    seat: Seat,
    claim: Claim,
    command: string,
    [cid = '', kid = '']: readonly string[],
    request: Request,
    respond: Respond,
  ): void {
    const settle = () => {
      if (claim === 'auth' && command !== 'client-pending-auth')
        this.claims.settle(String(atoi(cid)), String(atoi(kid)));
    };
    this.passage.pass(request, respond, {
      read: (parts) => {
        const lines = parts.flat();
        const refusal = lines.find((line) => line.startsWith('ERROR:'));
        if (refusal !== undefined) {
          // OpenVPN waits for no such answer
          if (refusal.endsWith(' command failed')) settle();
          return withoutRefusedLines(command, lines);
        }
        if (command !== 'username') this.audience.settle();
        settle();
        const had = this.claims.holder(claim) === seat;
        if (this.seats.has(seat) && this.claims.take(claim, seat) && !had) this.#onClaimed(claim);
        return lines;
      },
    });
  }

  #taken(claim: Claim, command?: string): Answer {
    const who = `client ${this.claims.holder(claim)?.id ?? 0} has claimed ${claim}`;
    return failure(command === undefined ? who : `${command} is for one client, and ${who}`);
  }

  #onClaimed(claim: Claim): void {
    this.onClaimed(claim);
    if (claim === 'auth') this.audience.authIsClaimed();
    else this.settings.adjust();
  }
}
