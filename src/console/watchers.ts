import type { Switch } from '../control/controller.js';
import { formatEndpoint } from '../endpoint.js';
import type { Plan, SubflowPlan } from '../steering/plan.js';
import { overrideKey } from '../steering/rule.js';
import { printable } from './printable.js';
import type { Tell } from './seat.js';

interface Seen {
  readonly key: string;
  readonly text: string;
}

/**
 * Those who said `mptcp watch`. They are told, in the manner of `>STATE:`, Unix time in seconds first and the client
 * last, as a name can hold commas:
 * - `>MPTCP:TIME,SWITCH,FROM,TO,SERVER/COMMON NAME`; FROM is empty where no one path was primary.
 * - `>MPTCP:TIME,SUBFLOW,ADDED|REMOVED|CHANGED,PATH,CLIENT'S END,OUR WISH,CLIENT'S WISH,SERVER/COMMON NAME`; PATH is
 *   `(elsewhere)` on none of the config's, and `(tunnel)` through the tunnel itself.
 */
export class Watchers {
  readonly #all = new Set<Tell>();
  #seen = new Map<string, Seen>();

  /** @returns what ends it. */
  add(tell: Tell): () => void {
    this.#all.add(tell);
    return () => this.#all.delete(tell);
  }

  switched({ session, from, to, committedAt }: Switch): void {
    this.#tell(committedAt, `SWITCH,${from ?? ''},${to},${overrideKey(session)}`);
  }

  /** Takes note of each round, so that a watcher is told of what changes from then on. */
  observed({ sessions }: Plan): void {
    const now = new Map<string, Seen>();
    for (const { session, subflows } of sessions) {
      for (const subflow of subflows) {
        const { local, remote } = subflow.subflow;
        const id = `${session.pid} ${formatEndpoint(session.real)} ${formatEndpoint(local)} ${formatEndpoint(remote)}`;
        now.set(id, { key: overrideKey(session), text: textOf(subflow) });
      }
    }
    const at = Date.now();
    for (const [id, { key, text }] of now) {
      const before = this.#seen.get(id);
      if (before === undefined) this.#tell(at, `SUBFLOW,ADDED,${text},${key}`);
      else if (before.text !== text) this.#tell(at, `SUBFLOW,CHANGED,${text},${key}`);
    }
    for (const [id, { key, text }] of this.#seen) {
      if (!now.has(id)) this.#tell(at, `SUBFLOW,REMOVED,${text},${key}`);
    }
    this.#seen = now;
  }

  #tell(at: number, text: string): void {
    const lines = [printable(`>MPTCP:${Math.floor(at / 1000)},${text}`)];
    for (const tell of this.#all) tell(lines);
  }
}

function textOf({ subflow, path, throughTunnel }: SubflowPlan): string {
  const where = throughTunnel ? '(tunnel)' : (path ?? '(elsewhere)');
  return `${where},${formatEndpoint(subflow.remote)},${subflow.ours},${subflow.peers}`;
}
