import type { Reply, Request } from '../../openvpn/management/exchanges.js';
import type { Management } from '../../openvpn/management/management.js';
import { failure, type Answer } from '../common/answer.js';

/** Sends a client the answer to its line. */
export type Respond = (answer: Answer) => void;

/** What to do with the reply to a forwarded command. */
export interface ForwardOptions {
  /** Makes the lines for the client from the parts of the reply. */
  readonly toLines?: (parts: readonly (readonly string[])[]) => readonly string[];
  /** Called if there is no reply. */
  readonly onFailure?: () => void;
}

/** Forwards commands of console clients to one OpenVPN, and its replies to the clients. */
export class CommandForwarder {
  constructor(
    private readonly name: string,
    private readonly management: Management,
  ) {}

  /** Responds once: with the reply, or with the reason why there is none. */
  forward(request: Request, respond: Respond, options: ForwardOptions = {}): void {
    this.management.ask(request, (reply: Reply) => {
      this.respondWith(reply, respond, options);
    });
  }

  /** Responds with a reply, or with the reason why there is none. */
  respondWith(reply: Reply, respond: Respond, { toLines = joinParts, onFailure }: ForwardOptions = {}): void {
    if ('parts' in reply) respond({ lines: toLines(reply.parts) });
    else {
      onFailure?.();
      respond(failure(`OpenVPN ${this.name} gives no answer: ${reply.lost}`));
    }
  }
}

/** A single part is not copied: all clients that share the reply then share one array, and so one encoded text. */
function joinParts(parts: readonly (readonly string[])[]): readonly string[] {
  return parts.length === 1 ? (parts[0] as readonly string[]) : parts.flat();
}
