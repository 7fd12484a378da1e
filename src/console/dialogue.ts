import type { Dialogue } from './client.js';
import { failure, runCommand, type Commanded } from './commands.js';
import type { Tell } from './seat.js';
import type { Sharing } from './sharing.js';

/** What a client of a console speaks with: the daemon, and the one OpenVPN behind the console, if there is one. */
export interface Partners {
  readonly daemon: Commanded;
  readonly sharing?: Sharing;
}

/** Begins to serve a client: `mptcp` is the daemon's, everything else OpenVPN's. */
export function beginDialogue({ daemon, sharing }: Partners, tell: Tell): Dialogue {
  const seat = sharing?.join(tell);
  if (seat === undefined) tell([">INFO:subflowd console -- type 'help' for the commands"]);
  return {
    run: (line, respond) => {
      if (seat?.block !== undefined || (seat && !isOurs(line))) {
        sharing?.run(seat, line, respond);
        return;
      }
      runCommand(daemon, line, sharing && seat && { sharing, seat }).then(respond, (error: unknown) => {
        respond(failure((error as Error).message));
      });
    },
    leave: () => {
      if (seat) sharing?.leave(seat);
    },
  };
}

function isOurs(line: string): boolean {
  return /^\s*"?mptcp\b/.test(line);
}
