import type { Problems } from '../../util/problems.js';
import { typeOfClientMessage } from './client-messages.js';
import { splitMessage } from './message-reader.js';

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

/** What {@link WaitProblems} needs of its owner. */
export interface WaitProblemsOptions {
  /** Whether a console client ends waits of this kind. */
  readonly isHandled: (reason: WaitReason) => boolean;
  /** Quotes text from OpenVPN, without the password, for a message. */
  readonly quote: (text: string) => string;
  /** Reports a problem with the server. Its key is the reason of the wait. */
  readonly report: (key: WaitReason, text: string) => void;
}

/** Reports when OpenVPN waits for its management client and no console client ends the wait. subflowd itself never does. */
export class WaitProblems {
  /** @param name of the management interface, for messages. */
  constructor(
    private readonly name: string,
    private readonly problems: Problems,
    private readonly options: WaitProblemsOptions,
  ) {}

  /** The wait is over, or a console client now ends such waits. */
  resolve(reason: WaitReason): void {
    this.problems.resolve(reason);
  }

  /** The connection is lost, so it is not known what OpenVPN waits for. */
  resolveAll(): void {
    for (const reason of WAIT_REASONS) this.resolve(reason);
  }

  /** Takes any real-time message. */
  onMessage(lines: readonly string[]): void {
    const { source, rest } = splitMessage(lines);
    if (source === 'CLIENT') this.#onClientMessage(lines);
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

  #onClientMessage(lines: readonly string[]): void {
    const { type } = typeOfClientMessage(lines);
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
