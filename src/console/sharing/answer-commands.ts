import { atoi } from '../../openvpn/management/command-line.js';
import type { Request } from '../../openvpn/management/exchanges.js';
import { failure, success, type Answer } from '../common/answer.js';
import type { Claim, Disposition } from '../common/dispositions.js';
import type { Claims } from './claims.js';
import type { CommandForwarder, Respond } from './command-forwarder.js';
import type { ConsoleClient } from './console-client.js';
import { filterVariables } from './env-filter.js';
import type { MessageDistributor } from './message-distributor.js';
import { firstRefusalOnly } from './multi-line-command.js';
import type { SharedSettings } from './settings.js';

/**
 * The answers to questions of OpenVPN, which only the client that has claimed them may send. Also the commands for that:
 * `mptcp claim` and `mptcp release`.
 */
export class AnswerCommands {
  constructor(
    private readonly forwarder: CommandForwarder,
    private readonly settings: SharedSettings,
    private readonly claims: Claims<ConsoleClient>,
    private readonly distributor: MessageDistributor,
    private readonly clients: ReadonlySet<ConsoleClient>,
    /** Called when a client gets a claim that it did not have. */
    private readonly onClaimed: (claim: Claim) => void,
  ) {}

  /** `mptcp claim`. */
  claim(client: ConsoleClient, claim: Claim): Answer {
    const hadClaim = this.claims.claimant(claim) === client;
    if (!this.claims.take(claim, client)) return this.#claimedByOther(claim);
    if (!hadClaim) {
      this.#onClaimed(claim);
      if (claim === 'auth') this.#sendPending(client);
    }
    return success(`you have claimed ${claim}, until you leave or send mptcp release ${claim}`);
  }

  /** `mptcp release`. */
  release(client: ConsoleClient, claim: Claim): Answer {
    if (!this.claims.release(claim, client)) return failure(`you have not claimed ${claim}`);
    this.settings.update();
    return success(`${claim} is released`);
  }

  /** Refuses a command whose claim another client has. @returns whether the command was refused. */
  refuseIfClaimed(
    client: ConsoleClient,
    command: string,
    disposition: Disposition,
    respond: Respond,
  ): boolean {
    if (typeof disposition === 'string') return false;
    const claimant = this.claims.claimant(disposition.claim);
    if (claimant === undefined || claimant === client) return false;
    respond(this.#claimedByOther(disposition.claim, command));
    return true;
  }

  /** Forwards an answer to a question of OpenVPN. If OpenVPN accepts the answer, the client gets the claim. */
  answer(
    client: ConsoleClient,
    claim: Claim,
    command: string,
    [cid = '', kid = '']: readonly string[],
    request: Request,
    respond: Respond,
  ): void {
    const removePending = () => {
      if (claim === 'auth' && command !== 'client-pending-auth')
        this.claims.removePending(String(atoi(cid)), String(atoi(kid)));
    };
    this.forwarder.forward(request, respond, {
      toLines: (parts) => {
        const lines = parts.flat();
        const refusal = lines.find((line) => line.startsWith('ERROR:'));
        if (refusal !== undefined) {
          // OpenVPN sends this text if it no longer waits for this answer.
          if (refusal.endsWith(' command failed')) removePending();
          return firstRefusalOnly(command, lines);
        }
        if (command !== 'username') this.distributor.clearQuestion();
        removePending();
        const hadClaim = this.claims.claimant(claim) === client;
        if (this.clients.has(client) && this.claims.take(claim, client) && !hadClaim) this.#onClaimed(claim);
        return lines;
      },
    });
  }

  /** Sends the requests of OpenVPN that came while no client had claimed `auth`. */
  #sendPending(client: ConsoleClient): void {
    const { messages, dropped } = this.claims.takePending();
    if (dropped > 0)
      client.send([`>INFO:${dropped} requests of OpenVPN were dropped: ${this.claims.limitText}`]);
    for (const message of messages) client.send(filterVariables(message, client.envFilterLevel));
  }

  #claimedByOther(claim: Claim, command?: string): Answer {
    const reason = `client ${this.claims.claimant(claim)?.id ?? 0} has claimed ${claim}`;
    return failure(command === undefined ? reason : `only one client may send ${command}, and ${reason}`);
  }

  #onClaimed(claim: Claim): void {
    this.onClaimed(claim);
    if (claim === 'auth') this.distributor.onAuthClaimed();
    else this.settings.update();
  }
}
