import { configMistakeText } from '../../api/config-mistake.js';
import type { DaemonApi } from '../../api/daemon-api.js';
import { failure, type Dialogue, type Send } from '../common/answer.js';
import type { SharedManagement } from '../sharing/shared-management.js';
import { sendEvents } from '../text/events.js';
import { runCommand, type CommandContext } from './commands.js';

/** What a console offers to its clients: the daemon and, if there is exactly one behind it, OpenVPN. */
export interface DialogueOptions {
  readonly daemon: DaemonApi;
  /** Called for each new client; returns undefined if there is not exactly one OpenVPN behind the console. */
  readonly sharedManagement?: () => SharedManagement | undefined;
  /** The server that CIDs and names of clients refer to; undefined: all servers. */
  readonly server?: string;
  /** Called with a text that says who gave how many wrong passwords on TCP. */
  readonly onWrongPassword?: (text: string) => void;
  /** Returns the sockets of consoles that understand OpenVPN's commands, for a console that does not. */
  readonly openvpnConsoles?: () => readonly string[];
  /** Whether clients are disconnected while OpenVPN is not connected, as OpenVPN itself would do. */
  readonly hangsUp?: boolean;
  /** Whether the first client claims `auth` without a command, as the program of `console-auth` does. */
  readonly claimsAuth?: boolean;
}

/**
 * Begins to serve a client. `mptcp` commands are for the daemon; all others are for OpenVPN.
 * @param userName the user of the client, for the log.
 */
export function startDialogue(
  options: DialogueOptions,
  send: Send,
  hangUp: () => void,
  userName?: string,
): Dialogue {
  const { daemon, server } = options;
  const shared = options.sharedManagement?.();
  const client = options.claimsAuth
    ? shared?.joinForAuth(send, hangUp)
    : shared?.join(send, options.hangsUp ? hangUp : undefined);
  if (client === undefined) send([">INFO:subflowd console -- type 'help' for the commands"]);
  const mistake = daemon.configMistake();
  // Programs that use the console of a server know only the messages of OpenVPN.
  if (mistake && server === undefined) send([`>NOTE:${configMistakeText(mistake)}`]);
  let stopWatching: (() => void) | undefined;
  const context: CommandContext = {
    ...(userName !== undefined && { userName }),
    openvpn: shared && client && { shared, client },
    server,
    get openvpnConsoles() {
      return options.openvpnConsoles?.() ?? [];
    },
    setWatching: (form) => {
      stopWatching?.();
      stopWatching = form === 'off' ? undefined : sendEvents(daemon, send, form);
    },
  };
  return {
    run: (line, respond) => {
      // Every line of a command of several lines is for OpenVPN, even if it begins with mptcp.
      if (shared && client && (client.unfinishedCommand !== undefined || !isMptcpCommand(line)))
        return shared.run(client, line, respond);
      runCommand(daemon, line, context).then(respond, (error: unknown) => {
        respond(failure((error as Error).message));
      });
      // no query: the next line waits for the answer
      return false;
    },
    leave: () => {
      stopWatching?.();
      if (client) shared?.leave(client);
    },
  };
}

function isMptcpCommand(line: string): boolean {
  return /^\s*"?mptcp\b/.test(line);
}
