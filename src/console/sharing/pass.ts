import type { Reply, Request } from '../../openvpn/exchanges.js';
import type { Management } from '../../openvpn/management.js';
import { failure, type Answer } from '../common/answer.js';

export type Respond = (answer: Answer) => void;

/** What is done with the answer to a command before its sender gets it, or when there is none. */
export interface PassOptions {
  /** Makes the answer's lines of its parts. */
  readonly read?: (parts: readonly (readonly string[])[]) => readonly string[];
  readonly failed?: () => void;
}

/** Passes clients' commands on to one OpenVPN, and its answers back. */
export class Passage {
  constructor(
    private readonly name: string,
    private readonly management: Management,
  ) {}

  /** Responds once: with the answer, or with the reason why there is none. */
  pass(request: Request, respond: Respond, { read = firstOrAll, failed }: PassOptions = {}): void {
    this.management.ask(request, (reply: Reply) => {
      if ('parts' in reply) respond({ lines: read(reply.parts) });
      else {
        failed?.();
        respond(failure(`OpenVPN ${this.name} gives no answer: ${reply.lost}`));
      }
    });
  }
}

/** One part as it is, so that all who share an answer share its text. */
function firstOrAll(parts: readonly (readonly string[])[]): readonly string[] {
  return parts.length === 1 ? (parts[0] as readonly string[]) : parts.flat();
}
