import type { Problems } from '../../util/problems.js';
import { typeOfClientNotice } from './client-notices.js';
import { sourceOf } from './notices.js';

/** What OpenVPN can wait for: that its management client lets a client in, releases a hold, or gives a password. */
export type WaitReason = 'auth' | 'hold' | 'password';

/** The command that ends each wait. OpenVPN asks again when another management client connects. */
const ENDING_COMMANDS: Readonly<Record<WaitReason, RegExp>> = {
  hold: /^hold release\b/,
  password: /^(?:password|username)\b/,
  auth: /^client-(?:auth|auth-nt|deny)\b/,
};
const WAIT_REASONS = Object.keys(ENDING_COMMANDS) as WaitReason[];

/** The wait that a command ends; undefined if it ends none. */
export function waitEndedBy(command: string): WaitReason | undefined {
  return WAIT_REASONS.find((reason) => ENDING_COMMANDS[reason].test(command));
}

export interface WaitProblemsOptions {
  /** Whether a client of the console ends waits of this kind. */
  readonly isHandled: (reason: WaitReason) => boolean;
  /** Text of the peer, safe to show. */
  readonly quote: (text: string) => string;
  /** Reports a problem with the server; the keys are those of {@link WaitReason}. */
  readonly report: (key: WaitReason, text: string) => void;
}

/** Reports when OpenVPN waits for a management client, which subflowd does not act as, and nobody else does. */
export class WaitProblems {
  constructor(
    /** The management interface, as in messages. */
    private readonly name: string,
    private readonly problems: Problems,
    private readonly options: WaitProblemsOptions,
  ) {}

  /** The wait is over, or there is now a client that handles it. */
  resolve(reason: WaitReason): void {
    this.problems.resolve(reason);
  }

  /** The connection is lost, so it is not known what OpenVPN waits for. */
  resolveAll(): void {
    for (const reason of WAIT_REASONS) this.resolve(reason);
  }

  /** Takes any real-time message. */
  onNotice(lines: readonly string[]): void {
    const { source, rest } = sourceOf(lines);
    if (source === 'CLIENT') this.#onClientNotice(lines);
    else if (source === 'HOLD' && !this.options.isHandled('hold')) {
      this.options.report(
        'hold',
        `OpenVPN at ${this.name} waits for a management client to release it (management-hold), and subflowd does not ` +
          'do that; to fix it: enter "hold release" at its console, or remove management-hold from its config',
      );
    } else if (source === 'PASSWORD' && rest.startsWith('Need ') && !this.options.isHandled('password')) {
      this.options.report(
        'password',
        `OpenVPN at ${this.name} waits for a password that subflowd does not have, ${this.options.quote(rest)}; ` +
          'to fix it: enter the password at its console',
      );
    }
  }

  #onClientNotice(lines: readonly string[]): void {
    const { type } = typeOfClientNotice(lines);
    const isRequest = type === 'CONNECT' || type === 'REAUTH';
    if (type === 'ESTABLISHED' || (isRequest && this.options.isHandled('auth'))) this.resolve('auth');
    else if (isRequest) {
      this.options.report(
        'auth',
        `OpenVPN at ${this.name} waits for its management client to let clients in (management-client-auth). ` +
          'subflowd does not do that, so no client can connect; to fix it: let the program that authenticates enter ' +
          '"mptcp claim auth" at its console, or remove management-client-auth from its config',
      );
    }
  }
}
