import type { DaemonApi } from '../../api/daemon-api.js';
import { failure, type Dialogue, type Tell } from '../common/answer.js';
import { runCommand, type Asker } from './commands.js';
import type { Sharing } from '../sharing/sharing.js';
import { watchEvents } from '../text/events.js';

/** Whom a client of a console speaks with: the daemon, and the one OpenVPN behind the console, if there is one. */
export interface Partners {
  readonly daemon: DaemonApi;
  /** Asked for each client that comes. */
  readonly sharing?: () => Sharing | undefined;
  /** Of whom CIDs and names are; undefined: of all servers. */
  readonly server?: string;
  /** Somebody tried wrong passwords on TCP: who, and how many. */
  readonly onWrongPassword?: (text: string) => void;
  /** Consoles where OpenVPN's own commands are understood, when they are not here. */
  readonly elsewhere?: () => readonly string[];
  /** Clients are hung up on while OpenVPN is away, as OpenVPN itself would. */
  readonly hangsUp?: boolean;
}

/** Begins to serve a client: `mptcp` is the daemon's, everything else OpenVPN's. */
export function beginDialogue(partners: Partners, tell: Tell, hangUp: () => void, name?: string): Dialogue {
  const { daemon, server } = partners;
  const sharing = partners.sharing?.();
  const seat = sharing?.join(tell, partners.hangsUp ? hangUp : undefined);
  if (seat === undefined) tell([">INFO:subflowd console -- type 'help' for the commands"]);
  let unwatch: (() => void) | undefined;
  const asker: Asker = {
    ...(name !== undefined && { name }),
    seat: sharing && seat && { sharing, seat },
    server,
    get elsewhere() {
      return partners.elsewhere?.() ?? [];
    },
    setWatching: (isOn) => {
      if (isOn) unwatch ??= watchEvents(daemon, tell);
      else {
        unwatch?.();
        unwatch = undefined;
      }
    },
  };
  return {
    run: (line, respond) => {
      if (sharing && seat && (seat.block !== undefined || !isOurs(line)))
        return sharing.run(seat, line, respond);
      runCommand(daemon, line, asker).then(respond, (error: unknown) => {
        respond(failure((error as Error).message));
      });
      return false;
    },
    leave: () => {
      unwatch?.();
      if (seat) sharing?.leave(seat);
    },
  };
}

function isOurs(line: string): boolean {
  return /^\s*"?mptcp\b/.test(line);
}
