import type { Session } from '../model/session.js';
import type { Plan } from '../steering/plan.js';
import { NO_REJOINS, stepRejoins, type Rejoin, type RejoinState } from '../steering/rejoin.js';

/** What a {@link Rejoiner} needs. */
export interface RejoinerInputs {
  /** Asks OpenVPN to disconnect a client. @returns why that is not possible; undefined: OpenVPN has done it. */
  readonly disconnect: (session: Session) => Promise<string | undefined>;
  readonly onRejoin: (rejoin: Rejoin) => void;
  readonly onProblem: (text: string) => void;
}

/** Disconnects clients that lost a wanted path, at an idle moment, so that they come back with all their paths. */
export class Rejoiner {
  #state: RejoinState = NO_REJOINS;

  constructor(private readonly inputs: RejoinerInputs) {}

  /** Looks at a round. @param now milliseconds of a monotonic clock. */
  addRound({ sessions }: Pick<Plan, 'sessions'>, isDryRun: boolean, now: number): void {
    const { state, rejoin } = stepRejoins(this.#state, sessions, isDryRun, now);
    this.#state = state;
    if (rejoin) void this.#disconnect(rejoin);
  }

  async #disconnect(rejoin: Rejoin): Promise<void> {
    const { session, paths } = rejoin;
    const refusal = await this.inputs.disconnect(session);
    if (refusal === undefined) this.inputs.onRejoin(rejoin);
    else {
      this.inputs.onProblem(
        `${session.commonName}: cannot be disconnected so that it comes back with ${paths.join(', ')}: ${refusal}`,
      );
    }
  }
}
