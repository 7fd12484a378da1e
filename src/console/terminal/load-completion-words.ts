import type { DaemonStatus } from '../../api/status.js';
import type { CompletionWords } from './completion.js';
import { talk } from './talk.js';

/** Asks the daemon for its sessions and paths; none if it does not answer within 5 s. */
export async function loadCompletionWords(socketPath: string): Promise<CompletionWords> {
  try {
    const answer = (await talk(socketPath, 'mptcp status json', { timeoutMs: 5_000 })).join('');
    const { sessions, paths } = JSON.parse(answer) as DaemonStatus;
    return { sessions: sessions.map(({ session }) => session), paths: paths.map(({ name }) => name) };
  } catch {
    // At a console, the connection of the console itself reports that the daemon has stopped.
    return { sessions: [], paths: [] };
  }
}
